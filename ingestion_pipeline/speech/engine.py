"""The engine: many videos in, one set of weights, every decode worker busy.

The caller's thread decodes its audio, finds the speech and computes mel features; the engine's threads take what is
ready, of whatever video, and decode it. So preparation runs ahead, and memory does not grow with the length of a video.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Thread
from time import perf_counter
from types import TracebackType
from typing import Self

from faster_whisper import WhisperModel
from threadpoolctl import threadpool_limits

from ingestion_pipeline.records import Segment

from .chunks import Chunk, chunks_of
from .decoder import Decoder, Heard, mel_of
from .decoding import Decoding
from .scheduler import Job, Scheduler, Work
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
    """One audio on its way: which chunks were handed in, and what has come back so far."""

    duration_s: float = 0.0
    chunks: list[Chunk] = field(default_factory=list)
    heard: dict[int, Heard] = field(default_factory=dict)


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

    def transcribe(self, path: Path, decoding: Decoding, heard: Callable[[float], None]) -> Recognised:
        """Return what is said in an audio file; `heard` is told the position (s) that is reached.

        Raises `Undecodable` or `OSError` for the file, `RuntimeError` of CTranslate2 for the model.
        """
        with self._scheduler.admitted() as job:
            listening = _Listening()
            for chunk in chunks_of(speech_in(_counted(windows_of(path, _WINDOW_S), listening))):
                mel = mel_of(self._model, chunk.samples)
                self._scheduler.put(Work(job, len(listening.chunks), decoding, mel, chunk.duration_s))
                listening.chunks.append(chunk.without_samples())
                while not job.heard.empty():
                    _receive(job, listening, heard)
            self._scheduler.prepared(job)
            while len(listening.heard) < len(listening.chunks):
                _receive(job, listening, heard)
        return _recognised(listening, words=decoding.words)

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
            if "out of memory" in str(error):
                self._scheduler.halve(len(batch))
                _LOG.warning("GPU out of memory with %d chunks at once; going on with half of them.", len(batch))
            middle = len(batch) // 2
            self._decode(batch[:middle])
            self._decode(batch[middle:])
            return
        for work, one in zip(batch, found, strict=True):
            work.job.heard.put((work.number, one))


def _counted(windows: Iterator[Samples], listening: _Listening) -> Iterator[Samples]:
    for window in windows:
        listening.duration_s += len(window) / RATE
        yield window


def _receive(job: Job, listening: _Listening, heard: Callable[[float], None]) -> None:
    number, found = job.heard.get()
    if isinstance(found, Exception):
        raise found
    listening.heard[number] = found
    heard(listening.chunks[number].end_s)


def _recognised(listening: _Listening, *, words: bool) -> Recognised:
    chunks, heard = listening.chunks, [listening.heard[number] for number in range(len(listening.chunks))]
    return Recognised(
        listening.duration_s,
        sum(chunk.duration_s for chunk in chunks),
        list(segments_of(zip(chunks, heard, strict=True), words=words)),
        len(chunks),
        sum(one.decoded_again for one in heard),
        sum(chunk.duration_s for chunk, one in zip(chunks, heard, strict=True) if one.left_out),
    )
