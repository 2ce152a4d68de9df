"""What Dagster's instance knows of the runs of videos, in as few queries as will do."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES, RunRecord
from dagster._core.storage.tags import PARTITION_NAME_TAG, RUN_KEY_TAG, SENSOR_NAME_TAG

from ingestion_pipeline.due import PastRun
from ingestion_pipeline.errors import RunsKilled

EXPLAINED_TAG = "failure/kind"
"""A run with this tag failed, or waits, for a reason that stands in the table of failures; unless it says so: none."""
NO_FAILURE = "none"
_UNFINISHED = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


def videos_in_progress(instance: dg.DagsterInstance) -> set[str]:
    """Return the videos of which a run is queued, at work, or being cancelled."""
    runs = instance.get_run_partition_data(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    return {run.partition for run in runs}


def videos_awaiting_backfills(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> set[str]:
    """Return the videos whose runs are still to come from backfills: not those whose run a backfill has requested."""
    backfills = instance.get_backfills(filters=BulkActionsFilter(statuses=_UNFINISHED))
    return {video for backfill in backfills for video in _to_be_requested(backfill, repository)}


def requests_in_progress(instance: dg.DagsterInstance, sensors: Sequence[str]) -> int:
    """Return how many runs that these sensors requested have not ended."""
    return instance.get_runs_count(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags={SENSOR_NAME_TAG: list(sensors)}))


def past_runs(instance: dg.DagsterInstance, videos: Sequence[str]) -> dict[str, list[PastRun]]:
    """Return the runs of these videos that have ended, the newest first."""
    if not videos:
        return {}
    wanted = dg.RunsFilter(statuses=FINISHED_STATUSES, tags={PARTITION_NAME_TAG: list(videos)})
    found = defaultdict[str, list[PastRun]](list)
    for record in instance.get_run_records(filters=wanted):
        found[record.dagster_run.tags[PARTITION_NAME_TAG]].append(_past_run(record))
    return found


def _past_run(record: RunRecord) -> PastRun:
    run = record.dagster_run
    ended_at = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    attempt = run.tags.get(RUN_KEY_TAG, "").rpartition(":")[2]
    return PastRun(
        ended_at,
        run.run_id,
        killed=run.is_failure_or_canceled and run.tags.get(EXPLAINED_TAG, NO_FAILURE) in {NO_FAILURE, RunsKilled.kind},
        attempt=int(attempt) if attempt.isdigit() else None,
    )


def _to_be_requested(backfill: PartitionBackfill, repository: dg.RepositoryDefinition) -> set[str]:
    """Return the partitions that a backfill of assets, or of a job, has not come to."""
    if not backfill.is_asset_backfill:
        names = list(backfill.partition_names or ())
        last = backfill.last_submitted_partition_name
        return set(names[names.index(last) + 1 :] if last in names else names)
    data = backfill.get_asset_backfill_data(repository.asset_graph)
    left = data.target_subset - data.requested_subset
    return {key for subset in left.partitions_subsets_by_asset_key.values() for key in subset.get_partition_keys()}
