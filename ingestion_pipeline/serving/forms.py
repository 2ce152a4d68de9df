"""The form of a transcription: read, held within its size, and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from ingestion_pipeline.errors import ModelUnknown, Permanent, TooLarge

from .transcription import Asked

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
_UNSUPPORTED = ("prompt", "include[]", "chunking_strategy", "known_speaker_names[]")


@dataclass(frozen=True)
class Wanted:
    """In which form the answer goes out; with `progress`, an addition, a stream also tells how far it is."""

    form: str
    granularities: Sequence[str]
    stream: bool
    progress: bool


async def form_of(request: Request, most_bytes: int) -> FormData:
    """Return a form, whose file is on disk, without a name; raise `TooLarge` or `Permanent`."""
    announced = int(request.headers.get("content-length", 0))
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        _check_size(received, most_bytes)
        return message

    _check_size(announced, most_bytes)
    try:
        return await Request(request.scope, limited).form()
    except HTTPException as error:
        raise Permanent(f"The form cannot be read: {error.detail}.") from error


def asked_in(request: Request, form: FormData, wanted: Wanted) -> Asked:
    """Return what is to be transcribed: an uploaded file or, for who is on a Unix socket, a `path`."""
    path, upload = form.get("path"), form.get("file")
    if isinstance(path, str) and request.client is None:
        place, name = Path(path), path
    elif isinstance(upload, UploadFile):
        place, name = _place_of(upload.file), upload.filename or "audio"
    else:
        raise Permanent("There is no file in the form.", "Send the audio as `file`.")
    return Asked(
        str(form.get("video") or name),
        place,
        _text(form, "language"),
        "word" in wanted.granularities,
        _number(form, "duration"),
        _flag(form, "suspect"),
    )


def wanted_in(form: FormData, model: str) -> Wanted:
    """Return how to answer; raise `Permanent` for what we do not have, `ModelUnknown` for another model."""
    asked_model = _text(form, "model")
    if asked_model not in {model, "whisper-1"}:
        raise ModelUnknown(f"This server has the model {model}, not {asked_model}.", f"Set WHISPER_MODEL={model}.")
    for name in _UNSUPPORTED:
        if form.get(name):
            raise Permanent(f"{name} is not supported.")
    if _number(form, "temperature"):
        raise Permanent("Only temperature 0 is supported: chunks that fail are decoded again at higher ones.")
    answer = _text(form, "response_format") or "json"
    if answer not in FORMATS:
        raise Permanent(f"response_format {answer} is not one of {', '.join(FORMATS)}.")
    granularities = [str(one) for one in form.getlist("timestamp_granularities[]")] or ["segment"]
    return Wanted(answer, granularities, _flag(form, "stream"), _flag(form, "progress"))


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise TooLarge(f"The upload is larger than {most / 1e6:.0f} MB.", "Raise MAX_AUDIO_MB on the server.")


def _place_of(file: IO[bytes]) -> Path:
    """Return the path of a file without a name; it is on disk, so that it can be opened once more."""
    number = file.fileno()
    file.flush()
    return Path(f"/proc/self/fd/{number}")


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) and value else None


def _number(form: FormData, name: str) -> float:
    text = _text(form, name) or "0"
    try:
        return float(text)
    except ValueError:
        raise Permanent(f"{name} {text} is not a number.") from None


def _flag(form: FormData, name: str) -> bool:
    return (_text(form, name) or "").lower() in {"true", "1"}
