"""The sensors: they request runs for videos, and end those that are dead. None asks the network, none has a cursor."""

from datetime import UTC, datetime
from time import time

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from ingestion_pipeline.store import requests, sites

from .jobs import ingest_video
from .requesting import requested
from .resources import Store

SILENCE_S = 60
"""A run without a connection is dead once it has been silent for so long; between two steps it has none, too."""
_EVERY_S = 30
_RUNNING = dg.DefaultSensorStatus.RUNNING


@dg.sensor(
    job=ingest_video,
    minimum_interval_seconds=_EVERY_S,
    default_status=_RUNNING,
    description="Requests a run for each video of the catalogue that is not done, the newest first.",
)
def new_uploads(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult:
    """Request what has no embeddings, and did not fail."""
    now = datetime.now(UTC)
    with store.database.connection() as connection:
        candidates = requests.new_videos(connection)
        others = requests.set_back(connection, now)
        refusing = sites.blocked_hosts(connection)
    return requested(context, store, candidates, others, refusing, nothing="nothing new", now=now)


@dg.sensor(
    job=ingest_video,
    minimum_interval_seconds=_EVERY_S,
    default_status=_RUNNING,
    description="Requests a run for each video that failed or had to wait, once its time has come.",
)
def retry_due(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult:
    """Request what failed and is due."""
    now = datetime.now(UTC)
    with store.database.connection() as connection:
        candidates = requests.retries(connection, now)
        others = requests.set_back(connection, now)
        refusing = sites.blocked_hosts(connection)
    return requested(context, store, candidates, others, refusing, nothing="nothing to try again", now=now)


@dg.sensor(
    minimum_interval_seconds=_EVERY_S,
    default_status=_RUNNING,
    description="Fails runs of videos whose process is gone, so that they are tried again.",
)
def orphans(context: dg.SensorEvaluationContext, store: Store) -> dg.SkipReason:
    """Fail runs without a connection to the database; Dagster itself would wait for them."""
    started = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    at_work = [run for run in started if PARTITION_NAME_TAG in run.tags]
    if not at_work:
        return dg.SkipReason("no run of a video is at work")
    with store.database.connection() as connection:
        connected = requests.connected_runs(connection)
    dead = [run.run_id for run in at_work if run.run_id not in connected and _silent(context.instance, run.run_id)]
    for run_id in dead:
        _fail(context.instance, run_id)
    return dg.SkipReason(f"{len(at_work)} at work, failed as orphans: {', '.join(dead) or 'none'}")


def _silent(instance: dg.DagsterInstance, run_id: str) -> bool:
    records = instance.get_records_for_run(run_id, limit=1, ascending=False).records
    return not records or time() - records[0].event_log_entry.timestamp > SILENCE_S


def _fail(instance: dg.DagsterInstance, run_id: str) -> None:
    """Fail a run, unless it has ended since it was looked at."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status == dg.DagsterRunStatus.STARTED:
        instance.report_run_failed(
            run,
            f"The process of this run is gone: it has no connection to the database, and has said nothing for"
            f" {SILENCE_S} s. The video is tried again.",
        )
