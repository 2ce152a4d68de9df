"""A backfill in which something is killed again and again: nothing is lost, nothing is left over."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from ingestion_pipeline.cli.session import Session, shipped
from ingestion_pipeline.databases import child_environment
from ingestion_pipeline.private_folders import socket_folder
from ingestion_pipeline.store.transcripts import transcript_of
from ingestion_pipeline_tests.support.dagster_ui import BACKFILL, DagsterUI
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until
from ingestion_pipeline_tests.support.recordings import episode, write_audio

pytestmark = pytest.mark.slow
VIDEOS, KILLS = 30, 30
CANCEL = """
mutation ($runId: String!) {
  terminateRun(runId: $runId, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) { __typename }
}"""
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]


class Dagster:
    """Webserver and daemon; whoever of them is killed is started again, as a service manager does."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        workspace = str(shipped("workspace.yaml"))
        self.ui = DagsterUI(f"http://127.0.0.1:{port}")
        self._webserver = self._start("dagster_webserver", "-w", workspace, "-p", str(port))
        self._workspace = workspace
        self.start_daemon()
        wait_until(lambda: _listens(port))
        self.ui.wait_until_loaded()

    def start_daemon(self) -> None:
        self.daemon = self._start("dagster._daemon", "run", "-w", self._workspace)

    def end(self) -> None:
        for process in (self.daemon, self._webserver):
            process.send_signal(signal.SIGINT)
            process.wait()

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        log = (self._folder / "dagster.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Killer:
    """Kills the model server, a run or the daemon, drawn from a seed."""

    def __init__(self, dagster: Dagster, folder: Path) -> None:
        self._dagster, self._folder, self._rng = dagster, str(folder), random.Random(7)
        self._sockets = str(socket_folder(folder / "data/model-server"))
        self.killed: list[str] = []

    def kill(self) -> None:
        kind = self._rng.choice(["server", "run", "run", "daemon"])
        victims = {"server": self._servers, "run": self.runs, "daemon": lambda: [self._dagster.daemon.pid]}[kind]()
        if not victims:
            return
        os.kill(self._rng.choice(victims), signal.SIGKILL)
        self.killed.append(kind)
        if kind == "daemon":
            self._dagster.daemon.wait()
            self._dagster.start_daemon()

    def _servers(self) -> list[int]:
        return [
            one.pid for one in psutil.process_iter(["cmdline"]) if self._sockets in " ".join(one.info["cmdline"] or [])
        ]

    def runs(self) -> list[int]:
        """Return the processes of runs: children of the code servers, which multiprocessing spawned."""
        return [
            one.pid
            for one in psutil.process_iter(["cmdline", "cwd"])
            if one.info["cwd"] == self._folder and "spawn_main" in " ".join(one.info["cmdline"] or [])
        ]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    audio = tmp_path / "audio"
    audio.mkdir()
    for number in range(VIDEOS):
        samples = np.concatenate([episode(number % 6), np.zeros(1600 * number, np.float32)])
        write_audio(audio / f"{number:02}.wav", samples)
    installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", IO_WORKERS="6", MODEL_SERVER_IDLE_S="5")
    installation.list_sources(f"name: here, folder: '{audio}'")
    return installation


@contextmanager
def dagster(installation: Installation) -> Iterator[Dagster]:
    session = Session(str(installation.folder / ".env"), data_dir=installation.folder / "data")
    environment = installation.environment | child_environment(session.settings)
    running = Dagster(installation.folder, environment)
    try:
        yield running
    finally:
        running.end()


def test_a_backfill_of_thirty_survives_thirty_kills(installation: Installation) -> None:
    assert installation.json("discover")["new"] == VIDEOS
    installation.run("db", "start")
    session = Session(str(installation.folder / ".env"), data_dir=installation.folder / "data")
    with session.database() as database, dagster(installation) as running:
        killer, started = Killer(running, installation.folder), time.monotonic()
        missing = _missing(database)
        while missing or len(killer.killed) < KILLS:
            assert time.monotonic() - started < 1200, (missing, killer.killed)
            if not missing:
                missing = _all(database)
            _launch(running.ui, missing, force=len(killer.killed) < KILLS)
            _kill_while_busy(running.ui, killer)
            missing = _missing(database)
        with database.connection() as connection:
            texts = {key: transcript_of(connection, key).text for key in _all(database)}
    assert len(texts) == VIDEOS
    assert len(set(texts.values())) == 6
    assert installation.run("db", "stop").returncode == 0
    wait_until(lambda: installation.processes() == [])
    assert not socket_folder(installation.folder / "data/model-server").exists()
    assert [path for path in (installation.folder / "data").rglob("*") if "partial" in path.name] == []


def _launch(ui: DagsterUI, videos: list[str], *, force: bool) -> None:
    params = {"assetSelection": [{"path": [step]} for step in STEPS], "partitionNames": videos}
    if force:
        config = {"ops": {step: {"config": {"force": True}} for step in STEPS}}
        params["runConfigData"] = config
    ui.ask(BACKFILL, backfillParams=params)


def _kill_while_busy(ui: DagsterUI, killer: Killer) -> None:
    """Kill every two seconds or so for as long as there is something to be done, thirty times in all."""
    wait_until(lambda: bool(_open_runs(ui)), 120)
    while open_runs := _open_runs(ui):
        if len(killer.killed) < KILLS:
            killer.kill()
        elif not killer.runs() and not _open_runs(ui) - open_runs:
            _cancel_orphans(ui)
        time.sleep(2)


def _open_runs(ui: DagsterUI) -> set[str]:
    return {run["runId"] for run in ui.runs() if run["status"] not in {"SUCCESS", "FAILURE", "CANCELED"}}


def _cancel_orphans(ui: DagsterUI) -> None:
    """Cancel, as a person would, the runs that Dagster believes to be at work and that have no process."""
    for run in ui.runs():
        if run["status"] in {"STARTED", "CANCELING"}:
            ui.ask(CANCEL, runId=run["runId"])


def _missing(database: object) -> list[str]:
    return _keys(database, "select key from videos where key not in (select video from embedded_videos)")


def _all(database: object) -> list[str]:
    return _keys(database, "select key from videos")


def _keys(database: object, query: str) -> list[str]:
    with database.connection() as connection:  # type: ignore[attr-defined]
        return [key for (key,) in connection.execute(query)]
