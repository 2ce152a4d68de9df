"""A backfill in which something is killed again and again: nothing is lost, nothing is left over."""

import time
from pathlib import Path

import numpy as np
import pytest

from ingestion_pipeline.cli.session import Session
from ingestion_pipeline.private_folders import socket_folder
from ingestion_pipeline.store.transcripts import transcript_of
from ingestion_pipeline_tests.support.dagster_processes import Killer, dagster
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
