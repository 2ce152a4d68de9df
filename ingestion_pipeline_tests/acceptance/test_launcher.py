"""Runs as forks of the warm process: cancelled, killed, and interrupted with the daemon."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestion_pipeline.defs.launcher import PROCESS_TAG
from ingestion_pipeline.defs.requesting import SENSORS
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.demo.podcast import feed
from ingestion_pipeline_tests.acceptance.test_dagster import STEPS
from ingestion_pipeline_tests.support.dagster_ui import BACKFILL, DagsterUI, dev
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until
from ingestion_pipeline_tests.support.web import Site

pytestmark = pytest.mark.slow
RUN = """
query ($runId: ID!) {
  runOrError(runId: $runId) {
    ... on Run { status tags { key value } eventConnection { events { ... on MessageEvent { message } } } }
  }
}"""
TERMINATE = "mutation ($runId: String!) { terminateRun(runId: $runId) { __typename } }"


class Held:
    """A podcast of one episode, whose download is held until it is released."""

    def __init__(self, site: Site) -> None:
        self.asked, self._released = threading.Semaphore(0), threading.Event()
        self.feed = site.add("/feed.xml", feed(site.url, EPISODES[:1]), "application/rss+xml")
        site.add(f"/{EPISODES[0].name}", EPISODES[0].read_bytes(), "audio/ogg")
        site.before_answer = self._hold

    def release(self) -> None:
        self._released.set()

    def _hold(self, path: str) -> None:
        if path.endswith(".opus"):
            self.asked.release()
            self._released.wait()


@pytest.fixture
def held(site: Site) -> Iterator[Held]:
    held = Held(site)
    yield held
    held.release()


@pytest.fixture
def installation(held: Held, tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true")
    installation.list_sources(f"name: held, feed: '{held.feed}'")
    return installation


@contextmanager
def dev_without_sensors(installation: Installation) -> Iterator[tuple[subprocess.Popen[str], DagsterUI]]:
    """Start `ingest dev`, and list the video once no sensor would request a run of its own for it."""
    with dev(installation) as (process, address):
        ui = DagsterUI(address)
        ui.wait_until_loaded()
        for sensor in SENSORS:
            ui.stop(sensor)
        assert installation.json("discover")["new"] == 1
        yield process, ui


def test_a_run_can_be_cancelled_and_one_that_is_killed_fails(installation: Installation, held: Held) -> None:
    with dev_without_sensors(installation) as (process, ui):
        run = _begun(ui, held)
        ui.ask(TERMINATE, runId=run)
        assert ui.wait_for(lambda: _of(ui, run)["status"], {"CANCELED", "FAILURE"}) == "CANCELED"
        run = _begun(ui, held)
        _, pid, _ = _tags(ui, run)[PROCESS_TAG].split()
        os.kill(int(pid), signal.SIGKILL)
        assert ui.wait_for(lambda: _of(ui, run)["status"], {"FAILURE"}) == "FAILURE"
        said = [event.get("message") for event in _of(ui, run)["eventConnection"]["events"]]
        assert any("ended with status -9" in str(message) for message in said)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert installation.processes() == []


def test_what_runs_when_the_daemon_ends_is_interrupted(installation: Installation, held: Held) -> None:
    with dev_without_sensors(installation) as (process, ui):
        _begun(ui, held)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert installation.processes() == []
    assert not list((installation.folder / "data/audio").rglob("*.opus"))


def _begun(ui: DagsterUI, held: Held) -> str:
    """Launch a backfill of the one video; return its run once the download has been asked for."""
    partitions = ui.partitions("raw_audio")
    params = {"assetSelection": [{"path": [step]} for step in STEPS], "partitionNames": partitions}
    before = {run["runId"] for run in ui.runs()}
    ui.ask(BACKFILL, backfillParams=params)
    assert held.asked.acquire(timeout=120)
    (run,) = {run["runId"] for run in ui.runs()} - before
    wait_until(lambda: PROCESS_TAG in _tags(ui, run))
    return run


def _of(ui: DagsterUI, run: str) -> dict[str, object]:
    return ui.ask(RUN, runId=run)["runOrError"]


def _tags(ui: DagsterUI, run: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in _of(ui, run)["tags"]}  # type: ignore[attr-defined]
