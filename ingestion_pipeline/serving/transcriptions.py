"""`POST /v1/audio/transcriptions`: OpenAI's form in, a transcript out, whole or as server-sent events."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import anyio
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from ingestion_pipeline.errors import IngestionError
from ingestion_pipeline.records import Segment, Transcript
from ingestion_pipeline.speech.formats import FORMATS

from .forms import Wanted, asked_in, form_of, wanted_in
from .service import Service
from .transcription import Asked, Began, Done, Event, Progress, Transcription
from .wire import error_form, verbose


async def transcriptions(request: Request) -> Response:
    """Transcribe what is uploaded or, on a Unix socket, lies at `path`."""
    service: Service = request.app.state.service
    with service.serving():  # refuse before a long upload
        form = await form_of(request, service.limits.upload_bytes)
        wanted = wanted_in(form, service.config.whisper.model)
        asked = asked_in(request, form, wanted)
        if not wanted.stream:
            return _response(await _whole(request, service, asked), wanted)
    return StreamingResponse(_stream(service, asked, wanted, form), media_type="text/event-stream")


async def _whole(request: Request, service: Service, asked: Asked) -> Transcript:
    """Return the transcript; raise `ClientDisconnect`, and cancel the work, where the client goes away."""
    last: Event | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as group, aclosing(Transcription(service, asked).events()) as events:
        group.start_soon(watch, group.cancel_scope)
        async for event in events:
            last = event
        group.cancel_scope.cancel()
    if isinstance(last, IngestionError):
        raise last
    if not isinstance(last, Done):
        raise ClientDisconnect
    return last.transcript


async def _stream(service: Service, asked: Asked, wanted: Wanted, form: FormData) -> AsyncGenerator[str]:
    """Yield server-sent events; the form, whose file goes with it, is held until the end."""
    try:
        with service.serving():
            async with aclosing(Transcription(service, asked).events()) as events:
                async for event in events:
                    if isinstance(event, IngestionError):
                        raise event
                    if wanted.progress or isinstance(event, Segment | Done):
                        yield _sent(_form_of(event, wanted, service))
        yield "data: [DONE]\n\n"
    except IngestionError as error:
        yield _sent(error_form(error))
    finally:
        await form.close()


def _form_of(event: Event, wanted: Wanted, service: Service) -> dict[str, Any]:
    """Return an event as it is sent; who is told the progress is also told what the server has to say since."""
    match event:
        case Segment():
            return {"type": "transcript.text.delta", "delta": f"{event.text} "}
        case Done(transcript) if wanted.progress:
            measured = {"work_s": event.work_s, "usage": event.usage}
            return {"type": "transcript.text.done", **verbose(transcript), **measured}
        case Done(transcript):
            return {"type": "transcript.text.done", "text": transcript.text}
        case Began():
            return {"type": "transcript.began", **asdict(event), "warnings": service.warnings.taken()}
        case Progress():
            return {"type": "transcript.progress", **asdict(event)}
        case _:
            raise TypeError(event)


def _sent(form: dict[str, Any]) -> str:
    return f"data: {json.dumps(form)}\n\n"


def _response(transcript: Transcript, wanted: Wanted) -> Response:
    if wanted.form == "verbose_json":
        segments, words = "segment" in wanted.granularities, "word" in wanted.granularities
        return JSONResponse(verbose(transcript, segments=segments, words=words))
    if wanted.form == "json":
        return JSONResponse({"text": transcript.text})
    return PlainTextResponse(transcript.text if wanted.form == "text" else FORMATS[wanted.form](transcript))
