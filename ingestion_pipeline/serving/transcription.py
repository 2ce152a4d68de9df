"""One transcription for one client: a thread that works, and the events that the client is told."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from ingestion_pipeline.embedding.embedder import import_libraries
from ingestion_pipeline.errors import GpuFault, IngestionError, ModelServerLeaves, Transient
from ingestion_pipeline.records import Segment, Transcript
from ingestion_pipeline.speech.recogniser import progress_line
from ingestion_pipeline.speech.scheduler import Cancelled, Job

from .service import Service, end_at_once

REPORT_EVERY_S = 10.0
WAITING_EVERY_S = 30.0
"""Between two lines of a run that waits, after the first: many do, and each line is a row in Dagster's database."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What a client wants: the transcript of `path`, an audio of `duration_s` if it knows that.

    `video` names it in messages. A `suspect` was being worked on when a server broke down.
    """

    video: str
    path: Path
    language: str | None = None
    words: bool = False
    duration_s: float = 0.0
    suspect: bool = False


@dataclass(frozen=True)
class Began:
    """Its turn has come, after `wait_s`."""

    wait_s: float


@dataclass(frozen=True)
class Progress:
    """How far it is: what a person reads, and the numbers."""

    message: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Done:
    """The transcript, the time (s) that it took since it began, and what was measured meanwhile."""

    transcript: Transcript
    work_s: float
    usage: dict[str, float]


Event = Began | Progress | Segment | Done | IngestionError


class Transcription:
    """Runs in a thread of its own; what `events` yields ends with `Done` or an error."""

    def __init__(self, service: Service, asked: Asked) -> None:
        self._service, self._asked = service, asked
        self._job = Job(suspect=asked.suspect)
        self._asked_at = monotonic()
        self._began_at: float | None = None
        self._report_at = self._asked_at + REPORT_EVERY_S
        self._position_s = 0.0

    async def events(self) -> AsyncGenerator[Event]:
        """Yield what happens, as it happens; closing it cancels the work."""
        loop, told = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(told.put_nowait, event)

        work = loop.run_in_executor(self._service.threads, self._work, tell)
        try:
            while True:
                event = await self._next(told)
                yield event
                if isinstance(event, Done | IngestionError):
                    return
        finally:
            self._service.whisper.cancel(self._job)
            await asyncio.shield(work)

    async def _next(self, told: "asyncio.Queue[Event]") -> Event:
        try:
            left = self._report_at - monotonic()
            if left > 0:
                return await asyncio.wait_for(told.get(), left)
        except TimeoutError:
            pass
        self._report_at = monotonic() + (WAITING_EVERY_S if self._began_at is None else REPORT_EVERY_S)
        return self._progress()

    def _work(self, tell: Callable[[Event], None]) -> None:
        asked = self._asked

        def began() -> None:
            self._service.began(self._job)
            self._began_at = monotonic()
            self._report_at = self._began_at + REPORT_EVERY_S
            tell(Began(self._began_at - self._asked_at))

        def said(segment: Segment) -> None:
            self._position_s = segment.end
            tell(segment)

        try:
            with self._service.may_wait(self._job):
                import_libraries()  # before the first video begins: beside it, the decode workers would wait
                transcript = self._service.whisper.transcribe(
                    asked.video,
                    asked.path,
                    asked.language,
                    said=said,
                    began=began,
                    job=self._job,
                    words=asked.words,
                )
            tell(self._done(transcript))
        except GpuFault as error:
            end_at_once(f"Video {asked.video}: {error}")
        except IngestionError as error:
            tell(error)
        except Cancelled:
            tell(ModelServerLeaves("The model server is about to end.", "Ask again; another one will serve."))
        except Exception as error:  # noqa: BLE001 - told to the client, whose video alone is concerned
            _LOG.exception("Video %s", asked.video)
            tell(Transient(f"The model server failed on video {asked.video}: {error!r}.", "See its log."))

    def _done(self, transcript: Transcript) -> Done:
        assert self._began_at is not None
        work_s = monotonic() - self._began_at
        usage = {"wait_seconds": self._began_at - self._asked_at, **self._service.telemetry.since(self._began_at)}
        rtfx = transcript.duration_s / work_s
        _LOG.info("%s: %.0f s of audio in %.1f s, %.1fx", self._asked.video, transcript.duration_s, work_s, rtfx)
        return Done(transcript, work_s, usage)

    def _progress(self) -> Progress:
        now, engine = monotonic(), self._service.whisper.engine
        waiting, active, ready = engine.waiting if engine else (0, 0, 0)
        figures: dict[str, float] = {"videos_waiting": waiting, "videos_active": active, "chunks_ready": ready}
        if self._began_at is None:
            what = f"{waiting} videos wait" if engine else "the model loads"
            return Progress(f"waiting for the model server since {now - self._asked_at:.0f} s: {what}", figures)
        fill = engine.counters.chunks / max(engine.counters.batches, 1) if engine else 0.0
        figures |= {"position_s": self._position_s, "work_s": now - self._began_at, "batch_fill": fill}
        done = progress_line(self._position_s, self._asked.duration_s, now - self._began_at)
        queue = f"{waiting} videos wait, {ready} chunks ready, {fill:.1f} to a batch"
        return Progress(f"{done} | {self._service.telemetry.latest} | {queue}", figures)
