"""Who goes next: videos are let in first come, first served; their chunks wait in one queue, bounded in bytes."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Condition

from .decoder import Heard, Mel
from .decoding import Decoding

_WAITING_BYTES = 64_000_000
"""Of mel features that wait; 66 chunks of 80 mels, over half an hour of speech."""


@dataclass(eq=False)
class Job:
    """One video's place in the engine; what is heard, or what went wrong, comes back through `heard`, in any order."""

    heard: "SimpleQueue[tuple[int, Heard | Exception]]" = field(default_factory=SimpleQueue)
    preparing: bool = True


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
        self._videos, self._workers = videos, workers
        self._ready: deque[Work] = deque()
        self._queued: deque[Job] = deque()
        self._active: list[Job] = []
        self._closed = False
        self._changed = Condition()

    @contextmanager
    def admitted(self) -> Iterator[Job]:
        """Wait for a place and hold it; what of the job still waits when it is given back is dropped."""
        job = Job()
        try:
            with self._changed:
                self._queued.append(job)
                self._changed.wait_for(lambda: self._queued[0] is job and self._has_place())
                self._queued.popleft()
                self._active.append(job)
                self._changed.notify_all()
            yield job
        finally:
            self._leave(job)

    def put(self, work: Work) -> None:
        """Add a chunk; waits while too many bytes wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_bytes() < _WAITING_BYTES)
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
            self._changed.wait_for(lambda: self._ready or self._closed)
            if self._closed:
                return []
            decoding = self._ready[0].decoding
            share = -(-len(self._ready) // self._workers)
            taken = [work for work in self._ready if work.decoding == decoding][: min(share, self.batch)]
            for work in taken:
                self._ready.remove(work)
            self._changed.notify_all()
            return taken

    def halve(self, batch: int) -> None:
        """Let no batch be larger than half of one that was too large."""
        with self._changed:
            self.batch = max(1, min(self.batch, batch // 2))

    def close(self) -> None:
        """Let `take` return nothing from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

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
            if job in self._queued:
                self._queued.remove(job)
            self._changed.notify_all()
