"""Runs whose process is gone: a sensor fails them, and no others."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster._time import get_current_timestamp

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.defs.sensors import SILENCE_S
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.daemon import Daemon
from ingestion_pipeline_tests.support.examples import VIDEO


@pytest.fixture
def daemon(database: Database, tmp_path: Path) -> Iterator[Daemon]:
    settings = Settings(_env_file=None, data_dir=tmp_path, whisper_device="cpu", retry_after_s=1e-6)  # type: ignore[call-arg]
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(definitions(settings, database.url), instance)


def started(daemon: Daemon, silent_s: float, job: str = "ingest_video", video: str | None = VIDEO.key) -> str:
    """Return a run at work whose last event is so old."""
    tags = {"dagster/partition": video} if video else {}
    run = create_run_for_test(daemon.instance, job_name=job, tags=tags)
    event = dg.DagsterEvent("PIPELINE_START", job, message="started")
    at = get_current_timestamp() - silent_s
    daemon.instance.handle_new_event(dg.EventLogEntry(None, 20, "", run.run_id, at, None, job, event))
    assert status(daemon, run.run_id) == "STARTED"
    return str(run.run_id)


def status(daemon: Daemon, run_id: str) -> str:
    run = daemon.instance.get_run_by_id(run_id)
    assert run is not None
    return str(run.status.value)


def test_a_run_without_a_connection_is_failed_with_the_reason_and_its_video_tried_again(daemon: Daemon) -> None:
    run = started(daemon, SILENCE_S + 1)
    assert run in str(daemon.evaluate("orphans").skip_reason)
    assert status(daemon, run) == "FAILURE"
    messages = [record.event_log_entry.message for record in daemon.instance.get_records_for_run(run).records]
    assert any("The process of this run is gone" in message for message in messages)
    assert daemon.tick("new_uploads") == [VIDEO.key]


def test_a_run_with_a_connection_is_at_work_however_silent(database: Database, daemon: Daemon) -> None:
    run = started(daemon, 10 * SILENCE_S)
    with psycopg.connect(database.url, application_name=f"ingest {run}"):
        daemon.evaluate("orphans")
        assert status(daemon, run) == "STARTED"
    wait_until_gone(database, run)
    daemon.evaluate("orphans")
    assert status(daemon, run) == "FAILURE"


def wait_until_gone(database: Database, run: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        asked = "select count(*) from pg_stat_activity where application_name = %s"
        while connection.execute(asked, (f"ingest {run}",)).fetchone() != (0,):
            pass


def test_a_run_that_has_not_connected_yet_or_is_between_two_steps_has_a_minute(daemon: Daemon) -> None:
    run = started(daemon, SILENCE_S - 10)
    daemon.evaluate("orphans")
    assert status(daemon, run) == "STARTED"


def test_runs_without_a_video_and_runs_in_the_queue_are_not_touched(daemon: Daemon) -> None:
    listing = started(daemon, 10 * SILENCE_S, "list_sources", video=None)
    queued = daemon.run(VIDEO.key)
    assert daemon.evaluate("orphans").skip_reason == dg.SkipReason("no run of a video is at work")
    assert (status(daemon, listing), status(daemon, queued)) == ("STARTED", "NOT_STARTED")


def test_after_five_orphans_of_a_video_a_person_is_asked_for(daemon: Daemon) -> None:
    for _ in range(5):
        started(daemon, SILENCE_S + 1)
        daemon.evaluate("orphans")
    assert "1 failed for good" in str(daemon.evaluate("new_uploads").skip_reason)
