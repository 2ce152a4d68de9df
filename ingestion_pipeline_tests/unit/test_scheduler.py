"""Who is let in, and what is taken next."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from ingestion_pipeline.speech.decoding import Decoding
from ingestion_pipeline.speech.scheduler import Cancelled, Job, Scheduler, Work

ENGLISH, GERMAN = Decoding("en"), Decoding("de")
MEL = np.zeros((80, 3000), np.float32)


def work(job: Job, number: int = 0, decoding: Decoding = ENGLISH) -> Work:
    return Work(job, number, decoding, MEL, 30.0)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class Place:
    """A place in a scheduler, held by a thread of its own until it is left."""

    def __init__(self, scheduler: Scheduler, threads: ThreadPoolExecutor, job: Job | None) -> None:
        self._job = job
        self.admitted, self._left = threading.Event(), threading.Event()
        self._scheduler = scheduler
        self._done = threads.submit(self._hold)

    def leave(self) -> None:
        self._left.set()
        self._done.result()

    def _hold(self) -> None:
        with self._scheduler.admitted(self._job) as self.job:
            self.admitted.set()
            self._left.wait()


@contextmanager
def places(scheduler: Scheduler, threads: ThreadPoolExecutor) -> Iterator[Callable[..., Place]]:
    """Give a function that asks for a place; at the end all are left."""
    held: list[Place] = []

    def ask(job: Job | None = None) -> Place:
        held.append(Place(scheduler, threads, job))
        return held[-1]

    yield ask
    for place in held:
        place.leave()


def numbers(taken: list[Work]) -> list[int]:
    return [one.number for one in taken]


def test_a_batch_takes_equal_decodings_in_order() -> None:
    scheduler = Scheduler(videos=2, workers=1, batch=3)
    with scheduler.admitted() as one, scheduler.admitted() as other:
        for number, (job, decoding) in enumerate([(one, ENGLISH), (other, GERMAN), (other, ENGLISH), (one, ENGLISH)]):
            scheduler.put(work(job, number, decoding))
        scheduler.put(work(one, 4))
        assert [numbers(scheduler.take()) for _ in range(3)] == [[0, 2, 3], [1], [4]]


def test_two_workers_share_what_does_not_fill_two_batches() -> None:
    scheduler = Scheduler(videos=1, workers=2, batch=16)
    with scheduler.admitted() as job:
        for number in range(5):
            scheduler.put(work(job, number))
        assert [numbers(scheduler.take()) for _ in range(3)] == [[0, 1, 2], [3], [4]]


def test_a_batch_is_not_waited_for() -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=16)
    with scheduler.admitted() as job:
        scheduler.put(work(job))
        assert numbers(scheduler.take()) == [0]


def test_a_job_that_leaves_takes_its_chunks_with_it() -> None:
    scheduler = Scheduler(videos=2, workers=1, batch=4)
    with scheduler.admitted() as staying:
        with scheduler.admitted() as leaving:
            for number, job in enumerate([leaving, staying, leaving]):
                scheduler.put(work(job, number))
        assert numbers(scheduler.take()) == [1]


def test_the_next_video_waits_for_a_place(threads: ThreadPoolExecutor) -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=1)
    with places(scheduler, threads) as ask:
        first = ask()
        assert first.admitted.wait(10)
        second = ask()
        assert not second.admitted.wait(0.05)
        first.leave()
        assert second.admitted.wait(10)


def test_the_next_video_is_begun_early_when_batches_are_not_filled(threads: ThreadPoolExecutor) -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=2)
    with places(scheduler, threads) as ask:
        first = ask()
        assert first.admitted.wait(10)
        for number in range(3):
            scheduler.put(work(first.job, number))
        second = ask()
        scheduler.prepared(first.job)
        assert not second.admitted.wait(0.05)
        scheduler.take()
        assert second.admitted.wait(10)


def test_of_two_suspects_the_second_waits_for_the_first_alone(threads: ThreadPoolExecutor) -> None:
    scheduler = Scheduler(videos=3, workers=1, batch=1)
    with places(scheduler, threads) as ask:
        first, other = ask(Job(suspect=True)), ask()
        assert first.admitted.wait(10)
        assert other.admitted.wait(10)
        second = ask(Job(suspect=True))
        assert not second.admitted.wait(0.05)
        assert ask().admitted.wait(10)
        first.leave()
        assert second.admitted.wait(10)


def test_chunks_wait_while_too_many_bytes_do(threads: ThreadPoolExecutor) -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=1)
    with scheduler.admitted() as job:
        chunk = Work(job, 0, ENGLISH, np.broadcast_to(np.float32(0), (80, 62_500)), 30.0)
        for _ in range(4):
            scheduler.put(chunk)
        fifth = threads.submit(scheduler.put, chunk)
        with pytest.raises(TimeoutError):
            fifth.result(0.05)
        scheduler.take()
        fifth.result(10)


def test_two_batches_for_each_worker_may_always_wait(threads: ThreadPoolExecutor) -> None:
    scheduler = Scheduler(videos=1, workers=2, batch=2)
    with scheduler.admitted() as job:
        large = Work(job, 0, ENGLISH, np.broadcast_to(np.float32(0), (80, 250_000)), 30.0)
        for _ in range(8):
            threads.submit(scheduler.put, large).result(10)
        ninth = threads.submit(scheduler.put, large)
        with pytest.raises(TimeoutError):
            ninth.result(0.05)
        scheduler.take()
        ninth.result(10)


def test_nothing_is_taken_when_closed() -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=1)
    scheduler.close()
    assert scheduler.take() == []


def test_a_cancelled_video_that_waits_to_be_let_in_goes_and_so_does_one_that_waits_with_a_chunk(
    threads: ThreadPoolExecutor,
) -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=1)
    waiting = Job()
    with scheduler.admitted() as job:
        behind = threads.submit(lambda: scheduler.admitted(waiting).__enter__())
        scheduler.cancel(waiting)
        with pytest.raises(Cancelled):
            behind.result(10)
        scheduler.cancel(job)
        with pytest.raises(Cancelled):
            scheduler.put(work(job))
    assert scheduler.waiting == (0, 0, 0)


def test_what_was_done_is_counted() -> None:
    scheduler = Scheduler(videos=1, workers=1, batch=4)
    with scheduler.admitted() as job:
        for number in range(5):
            scheduler.put(work(job, number))
        scheduler.take()
        scheduler.take()
        scheduler.count(150.0, 2)
    assert (scheduler.counters.batches, scheduler.counters.chunks) == (2, 5)
    assert (scheduler.counters.audio_s, scheduler.counters.decoded_again) == (150.0, 2)
