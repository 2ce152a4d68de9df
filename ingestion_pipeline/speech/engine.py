"""The engine: many videos in, one set of weights, every decode worker busy.

The caller's thread decodes its audio, finds the speech and computes mel features; the engine's threads take what is
ready, of whatever video, and decode it. So preparation runs ahead, and memory does not grow with the length of a video.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Thread
from time import perf_counter
from types import TracebackType
from typing import Self

from faster_whisper import WhisperModel
from threadpoolctl import threadpool_limits

from ingestion_pipeline.gpu import out_of_memory
from ingestion_pipeline.records import Segment

from .chunks import Chunk, chunks_of
from .decoder import Decoder, Heard, mel_of
from .decoding import Decoding
from .scheduler import Counters, Job, Scheduler, Work
from .sentences import segments_of
from .voice import speech_in
from .waveform import RATE, Samples, windows_of

_WINDOW_S = 64.0
"""Decoded at a time; a multiple of the frames that the voice detection looks at."""
BATCH = {"cuda": 16, "cpu": 4}
"""Chunks decoded at once; on a CPU as well, a batch reads the decoder's weights only once (decision 6)."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recognised:
    """What the engine made of one audio; of its `chunks`, those that failed twice make up `left_out_s`."""

    duration_s: float
    speech_s: float
    segments: Sequence[Segment]
    chunks: int
    decoded_again: int
    left_out_s: float


@dataclass
class _Listening:
    """One audio on its way: which chunks were handed in, and which of them came back too early to be told."""

    duration_s: float = 0.0
    chunks: list[Chunk] = field(default_factory=list)
    early: dict[int, Heard] = field(default_factory=dict)
    told: int = 0
    decoded_again: int = 0
    left_out_s: float = 0.0

    def received(self, number: int, found: Heard | Exception) -> Iterator[tuple[Chunk, Heard]]:
        """Take what came back for a chunk; yield all that is now in order."""
        if isinstance(found, Exception):
            raise found
        self.early[number] = found
        while self.told in self.early:
            chunk, heard = self.chunks[self.told], self.early.pop(self.told)
            self.told += 1
            self.decoded_again += heard.decoded_again
            self.left_out_s += chunk.duration_s if heard.left_out else 0.0
            yield chunk, heard


class Engine:
    """Transcribes up to `videos` audios at once on `workers` decode workers; use it in a `with` block.

    `model` is loaded with as many workers (`num_workers`). `batch` is 16 on a GPU and 4 on a CPU where it is not given.
    """

    def __init__(self, model: WhisperModel, *, workers: int, videos: int, batch: int | None = None) -> None:
        self._model = model
        device = model.model.device
        self._scheduler = Scheduler(videos, workers, batch or BATCH[device])
        # While one thread of a GPU handles its results, another's batch must be waiting for the card.
        count = workers + (device == "cuda")
        self.busy_s = [0.0] * count
        self._threads = [Thread(target=self._work, args=(worker,), daemon=True) for worker in range(count)]
        self._decoder = lru_cache(maxsize=32)(lambda decoding: Decoder(model, decoding))
        self._held = ExitStack()

    def __enter__(self) -> Self:
        # Preparation must not take the cores from decoding.
        self._held.enter_context(threadpool_limits(1, user_api="blas"))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scheduler.close()
        for thread in self._threads:
            thread.join()
        self._held.close()

    @property
    def counters(self) -> Counters:
        """What was done since the start."""
        return self._scheduler.counters

    @property
    def waiting(self) -> tuple[int, int, int]:
        """How many videos wait to be let in, how many are in, and how many chunks are ready."""
        return self._scheduler.waiting

    @property
    def active_s(self) -> float:
        """For how long (s) a video was being transcribed, until now."""
        return self._scheduler.active_s

    def admitted(self, job: Job | None = None) -> AbstractContextManager[Job]:
        """Wait for a place for a video and hold it; raises `Cancelled`."""
        return self._scheduler.admitted(job)

    def cancel(self, job: Job) -> None:
        """Have the thread that transcribes, or waits for a place, raise `Cancelled`."""
        self._scheduler.cancel(job)

    def transcribe(self, path: Path, decoding: Decoding, said: Callable[[Segment], None]) -> Recognised:
        """Wait for a place, and return what is said in an audio file; raises as `listen` does."""
        with self.admitted() as job:
            return self.listen(job, path, decoding, said)

    def listen(self, job: Job, path: Path, decoding: Decoding, said: Callable[[Segment], None]) -> Recognised:
        """Return what is said in an audio file whose job holds a place; `said` is told each segment at once.

        Raises `Undecodable` or `OSError` for the file, `RuntimeError` of CTranslate2 for the model, `Cancelled`.
        """
        listening, segments = _Listening(), list[Segment]()
        for segment in segments_of(self._heard(job, path, decoding, listening), words=decoding.words):
            segments.append(segment)
            said(segment)
        self._scheduler.count(listening.duration_s, listening.decoded_again)
        return Recognised(
            listening.duration_s,
            sum(chunk.duration_s for chunk in listening.chunks),
            segments,
            len(listening.chunks),
            listening.decoded_again,
            listening.left_out_s,
        )

    def _heard(self, job: Job, path: Path, decoding: Decoding, listening: _Listening) -> Iterator[tuple[Chunk, Heard]]:
        """Hand in all chunks; yield them with what was heard, in order, as soon as it is there."""
        for chunk in chunks_of(speech_in(_counted(windows_of(path, _WINDOW_S), listening))):
            mel = mel_of(self._model, chunk.samples)
            self._scheduler.put(Work(job, len(listening.chunks), decoding, mel, chunk.duration_s))
            listening.chunks.append(chunk.without_samples())
            while not job.heard.empty():
                yield from listening.received(*job.heard.get())
        self._scheduler.prepared(job)
        while listening.told < len(listening.chunks):
            yield from listening.received(*job.heard.get())

    def _work(self, worker: int) -> None:
        while batch := self._scheduler.take():
            started = perf_counter()
            self._decode(batch)
            self.busy_s[worker] += perf_counter() - started

    def _decode(self, batch: list[Work]) -> None:
        """Decode a batch; where that fails, its halves, so that only the job at fault learns of an error."""
        try:
            decoder = self._decoder(batch[0].decoding)
            found = decoder([work.mel for work in batch], [work.duration_s for work in batch])
        except Exception as error:  # noqa: BLE001 - raised in the thread of the job that it belongs to
            if len(batch) == 1:
                batch[0].job.heard.put((batch[0].number, error))
                return
            if out_of_memory(error):
                self._scheduler.halve(len(batch))
                _LOG.warning("GPU out of memory with %d chunks at once; going on with half of them.", len(batch))
        else:
            for work, one in zip(batch, found, strict=True):
                work.job.heard.put((work.number, one))
            return
        # Only now, without the error: what it holds is on the GPU.
        middle = len(batch) // 2
        self._decode(batch[:middle])
        self._decode(batch[middle:])


def _counted(windows: Iterator[Samples], listening: _Listening) -> Iterator[Samples]:
    for window in windows:
        listening.duration_s += len(window) / RATE
        yield window
