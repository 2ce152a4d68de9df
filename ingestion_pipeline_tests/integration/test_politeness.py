"""The limiter and the breaker of a site: what it receives from many workers, and what it does not receive any more."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.audio.download import fetch_audio
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.discovery import discover
from ingestion_pipeline.errors import Breaker, SourceFault, SourceRefused
from ingestion_pipeline.politeness import Politeness, Web, ask_again, host_of
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.store import catalogue, sites
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import video
from ingestion_pipeline_tests.support.model_servers import wait_until
from ingestion_pipeline_tests.support.video_site import BOT_CHECK, SiteVideo, add_video, use_video_site
from ingestion_pipeline_tests.support.web import Site, serving

OPUS = EPISODES[0].read_bytes()
WORKERS = 24
FORK = multiprocessing.get_context("fork")
FAST = Politeness({"*": 60_000})


def episodes(database: Database, site: Site, count: int) -> list[Video]:
    found = [video(number, media_url=site.add(f"/{number}.opus", OPUS, "audio/ogg")) for number in range(count)]
    with database.writing() as connection:
        catalogue.save_videos(connection, found)
    return found


def in_many_workers(step: Callable[[Video], object], videos: list[Video]) -> list[BaseException | None]:
    """Do it for all videos, 24 at once; return what each raised."""
    with ThreadPoolExecutor(WORKERS) as workers:
        return [future.exception() for future in [workers.submit(step, one) for one in videos]]


def fetched(database: Database, folder: Path, politeness: Politeness, one: Video) -> None:
    def download(one: Video, log: pipeline.Log) -> Audio:
        return fetch_audio(one, folder, max_bytes=10_000_000, allow_private=True, progress=log)

    pipeline.fetch(database, one.key, download, Web(politeness), retry_pause_s=0.001, log=lambda _: None)


def turn(database: Database, politeness: Politeness, one: Video) -> None:
    with politeness.turn(database, one, lambda _: None):
        pass


def test_a_site_receives_no_more_than_its_rate_from_all_runs(database: Database, site: Site, tmp_path: Path) -> None:
    """Of 24 processes with a turn a minute, one asks at once; the others have their turns and sleep until then."""
    slow = Politeness({"*": 1})
    runs = [
        FORK.Process(target=fetched, args=(database, tmp_path, slow, one), daemon=True)
        for one in episodes(database, site, WORKERS)
    ]
    for run in runs:
        run.start()
    try:
        wait_until(lambda: turns_taken(database, host_of(site.url)) > WORKERS - 1)
        wait_until(lambda: len(list(tmp_path.glob("*.opus"))) == 1)
        assert len({path for _, path, _ in site.requests}) == 1
        assert sum(run.is_alive() for run in runs) >= WORKERS - 1
    finally:
        for run in runs:
            run.kill()
            run.join()


def turns_taken(database: Database, host: str) -> float:
    """Return how many minutes it is until the next turn that nobody has."""
    with database.connection() as connection:
        query = "select extract(epoch from next_request_at - clock_timestamp())::float8 / 60 from sites where host = %s"
        row = connection.execute(query, (host,)).fetchone()
    return row[0] if row else 0.0


def test_turns_taken_at_once_are_all_different(database: Database) -> None:
    began = time.monotonic()

    def reserve(_: int) -> float:
        with database.connection(autocommit=True) as connection:
            return sites.reserved(connection, "example.org", 1) or 0.0

    with ThreadPoolExecutor(WORKERS) as workers:
        waits = sorted(workers.map(reserve, range(WORKERS)))
    took = time.monotonic() - began
    assert all(turn * 60 - took <= wait <= turn * 60 for turn, wait in enumerate(waits))


def test_after_a_refusal_no_worker_asks_twice(database: Database, site: Site, tmp_path: Path) -> None:
    lock = threading.Lock()
    answers = [0]

    def refuse_after_forty(_: str) -> None:
        with lock:
            answers[0] += 1
            if answers[0] == 40:
                for page in site.pages.values():
                    page.status = 429

    site.before_answer = refuse_after_forty
    before = datetime.now(UTC)
    raised = in_many_workers(partial(fetched, database, tmp_path, FAST), episodes(database, site, 100))
    statuses = [status for _, _, status in site.requests]
    first = statuses.index(429)
    assert len(statuses) - first - 1 <= WORKERS + 1
    waiting = [error for error in raised if error is not None]
    assert len(waiting) >= 100 - 40
    assert all(isinstance(error, Breaker) and error.until > before + timedelta(minutes=59) for error in waiting)  # type: ignore[operator]
    assert len(list(tmp_path.glob("*.opus"))) == 100 - len(waiting)


def test_who_sleeps_while_a_site_begins_to_refuse_does_not_ask_it(database: Database, site: Site) -> None:
    """The second video has its turn in a second; meanwhile the first is refused."""
    first, second = episodes(database, site, 2)
    slow = Politeness({"*": 60})
    asleep = threading.Event()

    def wait_for_turn() -> None:
        with slow.turn(database, second, lambda _: asleep.set()):
            pass

    def refuse(worker: ThreadPoolExecutor) -> Future[None]:
        with suppress(Breaker), slow.turn(database, first, pytest.fail):
            waiting = worker.submit(wait_for_turn)
            assert asleep.wait(30)
            raise Breaker("HTTP Error 429")
        return waiting

    with ThreadPoolExecutor(1) as worker:
        error = refuse(worker).exception()
    assert isinstance(error, Breaker)
    assert f"{host_of(site.url)} is left alone until" in error.what


def test_a_refusal_stops_one_site_and_its_names_alone(database: Database) -> None:
    watch = [video(1, media_url="https://www.youtube.com/watch?v=1"), video(2, media_url="https://youtu.be/2")]
    other = video(3, media_url="https://example.org/3.mp3")
    with pytest.raises(Breaker), FAST.turn(database, watch[0], pytest.fail):
        raise Breaker("No.")
    raised = in_many_workers(partial(turn, database, FAST), [*watch, other])
    assert [type(error) for error in raised] == [Breaker, Breaker, type(None)]


def test_a_longer_block_stays_and_a_past_one_is_none(database: Database) -> None:
    now = datetime.now(UTC)
    with database.connection(autocommit=True) as connection:
        for hours, reason in ((2, "two"), (1, "one")):
            sites.block(connection, "a", now + timedelta(hours=hours), reason)
        assert sites.blocked(connection, "a") == sites.Blocked(now + timedelta(hours=2), "two")
        sites.block(connection, "b", now - timedelta(seconds=1), "past")
        assert sites.blocked(connection, "b") is None
    assert sites.take_turn(database, "b", 60_000, pytest.fail) is None


def test_a_site_is_asked_again_when_a_person_wants_it(database: Database) -> None:
    one = video(1, media_url="https://example.org/1.mp3")
    with pytest.raises(Breaker), FAST.turn(database, one, pytest.fail):
        raise Breaker("No.")
    with database.connection() as connection:
        ask_again(connection, [one.media_url])
    turn(database, FAST, one)


def test_turns_that_were_given_before_a_block_are_kept_after_it(database: Database) -> None:
    with database.connection(autocommit=True) as connection:
        waits = [sites.reserved(connection, "a", 1) for _ in range(3)]
        sites.block(connection, "a", datetime.now(UTC) + timedelta(hours=1), "No.")
        ask_again(connection, ["https://a/1.opus"])
        last = sites.reserved(connection, "a", 1)
    assert last is not None
    assert last > (waits[-1] or 0) + 50


def test_a_local_file_needs_no_turn(database: Database) -> None:
    turn(database, FAST, video(1, media_url="/audio/1.opus"))
    with database.connection() as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (0,)


def test_a_site_that_refuses_while_it_is_listed_is_left_alone(database: Database, site: Site) -> None:
    use_video_site()
    feed = Source(name="feed", feed=site.add("/feed", b"", status=429))
    other = Source(name="other", feed=site.add("/other", b"<rss/>", "application/rss+xml"))
    found = discover(database, [feed, other], Web(allow_private=True), log=lambda _: None)
    assert [type(fault) for fault in found.faults] == [SourceRefused, SourceFault]
    assert "is left alone until" in str(found.faults[1])
    assert [path for _, path, _ in site.requests] == ["/feed"]
    with pytest.raises(Breaker):
        turn(database, FAST, video(1, media_url=f"{site.url}/1.opus"))


def test_a_bot_check_while_a_page_is_listed_is_a_refusal(database: Database) -> None:
    use_video_site()
    with serving() as site:
        page = Source(name="page", url=add_video(site, SiteVideo("v1", refusal=BOT_CHECK)))
        found = discover(database, [page], Web(allow_private=True), log=lambda _: None)
        assert [type(fault) for fault in found.faults] == [SourceRefused]
        with database.connection() as connection:
            left_alone = sites.blocked(connection, host_of(site.url))
        assert left_alone is not None
        assert "not a bot" in left_alone.reason
