"""Who is told of failures: a sensor that waits for the end of a burst, and a job that sends one message."""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG
from pydantic import Field

from ingestion_pipeline import notification
from ingestion_pipeline.store.failures import untold

from .resources import Store

AFTER_A_FAILURE_S = 600


class Messages(dg.ConfigurableResource[None]):
    """Where messages go."""

    urls: str | None = Field(default=None, description="addresses for Apprise, with commas between (NOTIFY_URLS)")


@dg.op
def tell_of_failures(context: dg.OpExecutionContext, store: Store, messages: Messages) -> None:
    """Send one message about all videos that failed or wait and that nobody was told of."""
    if messages.urls:
        told = notification.tell(store.database_of(context.run_id), messages.urls, context.log.warning)
        context.log.info(f"told of {told} videos")


@dg.job(description="Send one message about what has failed.")
def notify_failures() -> None:
    """Send one message about what has failed."""
    tell_of_failures()


@dg.sensor(
    job_name="notify_failures",  # by name: given the job, Dagster warns of a beta of its own
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a message once nothing has failed for a minute, or after ten minutes.",
)
def failure_messages(
    context: dg.SensorEvaluationContext, store: Store, messages: Messages
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a message about what has failed, unless one is on its way."""
    if not messages.urls:
        return dg.SkipReason("NOTIFY_URLS is not set.")
    with store.database.connection() as connection:
        found = untold(connection)
    now = datetime.now(UTC)
    if not notification.is_due(found, now):
        return dg.SkipReason(f"{len(found)} failures; it waits for the end of the burst." if found else "Nothing new.")
    for last in context.instance.get_run_records(dg.RunsFilter(job_name=notify_failures.name), limit=1):
        if not last.dagster_run.is_finished:
            return dg.SkipReason("A message is on its way.")
        if last.dagster_run.is_failure and now.timestamp() - (last.end_time or 0) < AFTER_A_FAILURE_S:
            return dg.SkipReason("The last message could not be sent; it is tried again after ten minutes.")
    # Before the videos of a backfill, which may take hours.
    return dg.RunRequest(tags={"dagster/priority": "10", MAX_RUNTIME_SECONDS_TAG: "600"})
