"""The schedules: looking for new videos, and deleting audio that has served."""

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from ingestion_pipeline.retention import days_kept

from .jobs import delete_audio, list_sources
from .resources import Downloads

_RUNNING = dg.DefaultScheduleStatus.RUNNING


@dg.schedule(
    job=list_sources,
    cron_schedule="*/30 * * * *",
    default_status=_RUNNING,
    description="Looks for new videos in all sources, in the cheapest way that misses none.",
)
def discover_sources(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """List every half hour, unless the last listing is still at it."""
    listing = dg.RunsFilter(job_name=list_sources.name, statuses=NOT_FINISHED_STATUSES)
    if context.instance.get_runs_count(listing):
        return dg.SkipReason("The last listing is not done yet.")
    return dg.RunRequest()


@dg.schedule(
    job=delete_audio,
    cron_schedule="17 * * * *",
    default_status=_RUNNING,
    description="Deletes audio that has served, where AUDIO_RETENTION says so.",
)
def sweep_audio(downloads: Downloads) -> dg.RunRequest | dg.SkipReason:
    """Delete every hour, unless audio is kept for ever."""
    if days_kept(downloads.retention) is None:
        return dg.SkipReason("AUDIO_RETENTION is keep.")
    return dg.RunRequest()
