"""Ctrl-C during `ingest run`: one line, status 130, a failed run in Dagster, and the next `ingest run` goes on."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.politeness import host_of
from ingestion_pipeline.store import failures, sites
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.installation import Installation, dagster_url_of
from ingestion_pipeline_tests.support.locks import wait_for_a_waiting_lock
from ingestion_pipeline_tests.support.model_servers import wait_until
from ingestion_pipeline_tests.support.web import Site

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path: Path, database: Database, site: Site) -> Iterator[Installation]:
    """Give a folder with one source: a feed with one episode."""
    installation = Installation(tmp_path)
    installation.set(
        DATABASE_URL=database.url, WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true"
    )
    url = site.add("/episode.opus", EPISODES[0].read_bytes(), "audio/ogg")
    item = f'<item><title>One</title><guid>urn:episode:one</guid><enclosure url="{url}" type="audio/ogg"/></item>'
    feed = site.add("/feed.xml", f'<rss version="2.0"><channel><title>Pod</title>{item}</channel></rss>', "text/xml")
    installation.list_sources(f"name: pod, feed: '{feed}'")
    yield installation
    wait_until(lambda: installation.processes() == [])


class Held:
    """Holds the answers of a site to one path back, until it is let go."""

    def __init__(self, path: str) -> None:
        self.path, self.reached, self.gone = path, threading.Event(), threading.Event()

    def __call__(self, path: str) -> None:
        if path == self.path:
            self.reached.set()
            self.gone.wait()


def interrupted(installation: Installation, wait: Callable[[], object], *videos: str) -> list[str]:
    """Start `ingest run`, press Ctrl-C after `wait`, and return the lines of its standard error.

    The empty one, with which click ends the line that a terminal begins with ^C, is left out.
    """
    with installation.start("run", *videos, stderr=subprocess.PIPE) as process:
        wait()
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate()
    assert (process.returncode, output) == (130, "")
    return [line for line in errors.splitlines() if line]


def statuses(database: Database) -> list[str]:
    """Return the statuses of Dagster's runs in their order."""
    with psycopg.connect(dagster_url_of(database)) as connection:
        return [status for (status,) in connection.execute("select status from runs order by id")]


@pytest.mark.parametrize(
    ("path", "lines_before", "runs"),
    [
        ("/feed.xml", [], ["FAILURE"]),
        ("/episode.opus", ["pod: 1 listed", "1 listed, 1 new", "One"], ["SUCCESS", "FAILURE"]),
    ],
    ids=["while listing", "while downloading"],
)
def test_ctrl_c_ends_the_run_and_the_next_goes_on(
    here: Installation, database: Database, site: Site, path: str, lines_before: list[str], runs: list[str]
) -> None:
    held = site.before_answer = Held(path)
    try:
        *before, last = interrupted(here, held.reached.wait)
    finally:
        held.gone.set()
    assert last == "interrupted"
    assert len(before) == len(lines_before)
    assert all(line.endswith(end) for line, end in zip(before, lines_before, strict=True))
    assert statuses(database) == runs
    again = here.run("run")
    assert (again.returncode, again.stdout) == (0, "1 of 1 videos ingested\n"), again.stderr
    assert set(statuses(database)[len(runs) :]) == {"SUCCESS"}


def test_ctrl_c_while_waiting_for_another_run_of_the_video(here: Installation, database: Database) -> None:
    here.run("discover")
    with database.connection() as connection:
        (key,) = connection.execute("select key from videos").fetchone() or ()
    with database.only_run_of(key):
        began, last = interrupted(here, lambda: wait_for_a_waiting_lock(database), key)
    assert (began, last) == (f"1 of 1: {key}  One", "interrupted")
    assert statuses(database) == ["SUCCESS", "FAILURE"]
    assert here.run("run", key).returncode == 0


def test_ctrl_c_while_waiting_for_the_turn_of_a_site(here: Installation, database: Database, site: Site) -> None:
    """The turn before is the test's; the run would sleep for ten minutes."""
    here.environment["SITE_RATE"] = "*=0.1"
    here.run("discover")
    with database.connection() as connection:
        (key,) = connection.execute("select key from videos").fetchone() or ()
    sites.take_turn(database, host_of(site.url), 0.1, pytest.fail)

    def sleeps() -> bool:
        with database.connection() as connection:
            row = connection.execute("select next_request_at > now() + interval '15 minutes' from sites").fetchone()
        return row == (True,)

    *_, last = interrupted(here, lambda: wait_until(sleeps), key)
    assert last == "interrupted"
    assert statuses(database) == ["SUCCESS", "FAILURE"]
    with database.connection() as connection:
        assert failures.all_failures(connection) == []
