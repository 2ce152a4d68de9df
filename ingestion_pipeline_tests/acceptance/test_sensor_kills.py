"""Dagster's own sensor daemon, killed with -9 at each point of a tick at which its authors test it."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingestion_pipeline.cli.session import Session
from ingestion_pipeline.databases import child_environment
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support import sensor_daemon
from ingestion_pipeline_tests.support.examples import video

pytestmark = pytest.mark.slow
POINTS = ["TICK_CREATED", "TICK_HELD", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED"]
KEYS = [video(number).key for number in range(3)]


@pytest.fixture
def instance(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Give the instance that `ingest` gives, with three videos in the catalogue that nobody has run."""
    with database.writing() as connection:
        catalogue.save_videos(connection, [video(number) for number in range(len(KEYS))])
    session = Session(".env", data_dir=tmp_path, database_url=database.url, whisper_device="cpu")
    for name, value in child_environment(session.settings).items():
        monkeypatch.setenv(name, value)
    with session.dagster() as instance:
        yield instance


def play(point: str, *minutes: str) -> int:
    """Play rounds of the daemon and return how its process ended."""
    command = [sys.executable, "-m", sensor_daemon.__name__, point, *minutes]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False).returncode


@pytest.mark.parametrize("point", POINTS)
def test_no_video_is_lost_and_none_is_requested_twice(instance: dg.DagsterInstance, point: str) -> None:
    assert play(point, "0") == -signal.SIGKILL
    assert play("NEVER", "1", "2") == 0
    runs = instance.get_runs()
    assert Counter(run.tags["dagster/partition"] for run in runs) == dict.fromkeys(KEYS, 1)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}
    assert set(instance.get_dynamic_partitions("videos")) == set(KEYS)
