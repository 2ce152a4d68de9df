"""Who goes next: videos are let in first come, first served; their chunks wait in one queue, bounded in bytes."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Condition
from time import perf_counter

from .decoder import Heard, Mel
from .decoding import Decoding

_WAITING_BYTES = 64_000_000
"""Of mel features that wait; 66 chunks of 80 mels, over half an hour of speech. More where two batches are more."""


class Cancelled(Exception):
    """Nobody waits for this video any more."""


@dataclass(eq=False)
class Job:
    """One video's place in the engine; what is heard, or what went wrong, comes back through `heard`, in any order.

    A `suspect` was being worked on when a process broke down: no two of them are let in at once.
    """

    suspect: bool = False
    heard: "SimpleQueue[tuple[int, Heard | Exception]]" = field(default_factory=SimpleQueue)
    preparing: bool = True
    cancelled: bool = False


@dataclass
class Counters:
    """What was done since the start, and for how long (s) there was a video in.

    `waits_s` are the last times for which a worker waited in the midst of the work while a video did.
    """

    batches: int = 0
    chunks: int = 0
    decoded_again: int = 0
    audio_s: float = 0.0
    active_s: float = 0.0
    waits_s: deque[float] = field(default_factory=lambda: deque(maxlen=1000))


@dataclass(frozen=True, eq=False)
class Work:
    """The `number`-th chunk of a job, ready to be decoded."""

    job: Job
    number: int
    decoding: Decoding
    mel: Mel
    duration_s: float


class Scheduler:
    """Lets in `videos` at a time; more when the ready chunks do not fill a batch for each of `workers`."""

    def __init__(self, videos: int, workers: int, batch: int) -> None:
        self.batch = batch
        self.counters = Counters()
        self._videos, self._workers = videos, workers
        self._ready: deque[Work] = deque()
        self._queued: deque[Job] = deque()
        self._active: list[Job] = []
        self._active_since = 0.0
        self._in_the_midst = False
        self._closed = False
        self._changed = Condition()

    @property
    def waiting(self) -> tuple[int, int, int]:
        """How many videos wait to be let in, how many are in, and how many chunks are ready."""
        with self._changed:
            return len(self._queued), len(self._active), len(self._ready)

    @property
    def active_s(self) -> float:
        """For how long (s) a video was in, until now."""
        with self._changed:
            return self.counters.active_s + (perf_counter() - self._active_since if self._active else 0.0)

    @contextmanager
    def admitted(self, job: Job | None = None) -> Iterator[Job]:
        """Wait for a place and hold it; what of the job still waits when it is given back is dropped.

        Raises `Cancelled` where the job is cancelled before.
        """
        job = job or Job()
        try:
            with self._changed:
                self._queued.append(job)
                self._changed.wait_for(lambda: job.cancelled or (self._is_next(job) and self._has_place()))
                if job.cancelled:
                    raise Cancelled
                self._queued.remove(job)
                if not self._active:
                    self._active_since = perf_counter()
                self._active.append(job)
                self._changed.notify_all()
            yield job
        finally:
            self._leave(job)

    def cancel(self, job: Job) -> None:
        """Have the thread that holds or awaits the job's place raise `Cancelled`."""
        with self._changed:
            job.cancelled = True
            job.heard.put((0, Cancelled()))
            self._changed.notify_all()

    def put(self, work: Work) -> None:
        """Add a chunk; waits while too many bytes wait. Raises `Cancelled`."""
        with self._changed:
            enough = max(_WAITING_BYTES, 2 * self._workers * self.batch * work.mel.nbytes)
            self._changed.wait_for(lambda: work.job.cancelled or self._waiting_bytes() < enough)
            if work.job.cancelled:
                raise Cancelled
            self._ready.append(work)
            self._changed.notify_all()

    def prepared(self, job: Job) -> None:
        """Note that a job puts no more chunks."""
        with self._changed:
            job.preparing = False
            self._changed.notify_all()

    def take(self) -> list[Work]:
        """Wait for a chunk; return it and others with the same decoding: a batch, or a worker's share of what is ready.

        Empty when closed.
        """
        with self._changed:
            others_wait, began = bool(self._queued and self._in_the_midst), perf_counter()
            self._changed.wait_for(lambda: self._ready or self._closed)
            if self._closed:
                return []
            if others_wait:
                self.counters.waits_s.append(perf_counter() - began)
            decoding = self._ready[0].decoding
            share = -(-len(self._ready) // self._workers)
            taken = [work for work in self._ready if work.decoding == decoding][: min(share, self.batch)]
            for work in taken:
                self._ready.remove(work)
            self._in_the_midst = True
            self.counters.batches += 1
            self.counters.chunks += len(taken)
            self._changed.notify_all()
            return taken

    def count(self, audio_s: float, decoded_again: int) -> None:
        """Note a video that was transcribed."""
        with self._changed:
            self.counters.audio_s += audio_s
            self.counters.decoded_again += decoded_again

    def halve(self, batch: int) -> None:
        """Let no batch be larger than half of one that was too large."""
        with self._changed:
            self.batch = max(1, min(self.batch, batch // 2))

    def close(self) -> None:
        """Let `take` return nothing from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_next(self, job: Job) -> bool:
        """Tell whether no other goes before; a suspect that waits for another lets those behind it pass."""
        suspect_in = any(other.suspect for other in self._active)
        return next((one for one in self._queued if not (one.suspect and suspect_in)), None) is job

    def _has_place(self) -> bool:
        preparing = sum(job.preparing for job in self._active)
        starving = len(self._ready) < self._workers * self.batch
        return len(self._active) < self._videos or (starving and preparing < self._videos)

    def _waiting_bytes(self) -> int:
        return sum(work.mel.nbytes for work in self._ready)

    def _leave(self, job: Job) -> None:
        with self._changed:
            self._ready = deque(work for work in self._ready if work.job is not job)
            if job in self._active:
                self._active.remove(job)
                if not self._active:
                    self._in_the_midst = False
                    self.counters.active_s += perf_counter() - self._active_since
            if job in self._queued:
                self._queued.remove(job)
            self._changed.notify_all()
