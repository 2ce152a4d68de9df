"""What is shown of a video that fails or waits: on its partitions, as tags of its run, in the table; then its end."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import dagster as dg
from psycopg import Connection

from ingestion_pipeline import failures
from ingestion_pipeline.due import KILLS
from ingestion_pipeline.errors import IngestionError, LowQuality, RunsKilled
from ingestion_pipeline.pipeline import Fetched, Transcribed
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.failures import Failure, clear, failure_of, make_due

from .metadata import TAG_LETTERS, tag_run
from .resources import Store
from .runs import EXPLAINED_TAG, NO_FAILURE

STEPS = ("raw_audio", "transcripts", "segment_embeddings")
"""The assets of a video, each above the next."""
T = TypeVar("T")


def explained(context: dg.AssetExecutionContext, store: Store, step: Callable[[Database], T]) -> T | None:
    """Return what a step gives for the run's video; None where the video has to wait.

    A step that fails raises `dagster.Failure`, which says what happened and what to do; a bug goes on as it is. Before
    that it is kept and shown, as is what a video waits for. A success clears what was kept of the step.
    """
    asset = context.asset_key.to_user_string()
    with store.database_of(context.run.run_id).reusing() as database:
        try:
            _disown(context)
            tagged = tag_run(context, database)
            try:
                done = step(database)
            finally:
                if not tagged:
                    tag_run(context, database)
            with database.connection() as connection:
                clear(connection, context.partition_key, asset)
                if isinstance(done, Fetched | Transcribed) and done.changed:
                    _have_due_below(connection, context.partition_key, asset)
        except Exception as error:
            failure = _explain(context, store, database, asset, error)
            if isinstance(error, failures.WAITS):
                return None
            if isinstance(error, IngestionError):
                raise dg.Failure(str(error), metadata_of(failure), allow_retries=False) from error
            raise
        return done


def give_up(context: dg.SensorEvaluationContext, store: Store, video: str, last_run: str) -> None:
    """Keep and show that the runs of a video were killed too often, at the step that its last run had come to."""
    what = f"{video}: its last {KILLS} runs were killed or cancelled, and none could say why."
    remedy = "See the end of their logs, and whether the machine ran out of memory; then `ingest retry`."
    failure = failures.note(
        store.database,
        video,
        _step_of(context.instance, last_run),
        RunsKilled(what, remedy),
        run_id=last_run,
        retry_after_s=store.retry_after_s,
        log=context.log.warning,
    )
    for observation in _observations(failure, failure.asset):
        context.instance.report_runless_asset_event(observation)
    context.instance.add_run_tags(last_run, _tags(failure))


def metadata_of(failure: Failure) -> Mapping[str, dg.MetadataValue]:
    """Return what a page of the UI says of a failure."""
    again = failure.retry_at
    return {
        "kind": dg.MetadataValue.text(failure.kind),
        "reason": dg.MetadataValue.text(failure.reason),
        "remedy": dg.MetadataValue.text(failure.remedy or "none"),
        "attempts": dg.MetadataValue.int(failure.attempts),
        "next_try": dg.MetadataValue.timestamp(again) if again else dg.MetadataValue.text("when a person asks"),
        "run": dg.MetadataValue.dagster_run(failure.run_id),
    }


def _disown(context: dg.AssetExecutionContext) -> None:
    """Have a run that is executed again not show its parent's failure.

    It inherits all tags, and Dagster can overwrite one but not remove it.
    """
    inherited = [tag for tag in context.run.tags if tag.startswith("failure/")]
    if inherited:
        context.instance.add_run_tags(context.run.run_id, dict.fromkeys(inherited, NO_FAILURE))


def _have_due_below(connection: Connection, video: str, asset: str) -> None:
    """Have a video tried again that failed at a step below, for its input has changed."""
    failure = failure_of(connection, video)
    if failure and STEPS.index(failure.asset) > STEPS.index(asset):
        make_due(connection, [video])


def _explain(
    context: dg.AssetExecutionContext, store: Store, database: Database, asset: str, error: Exception
) -> Failure:
    failure = failures.note(
        database,
        context.partition_key,
        asset,
        failures.typed(context.partition_key, error),
        run_id=context.run.run_id,
        retry_after_s=store.retry_after_s,
        log=context.log.warning,
    )
    for observation in _observations(failure, "transcripts" if isinstance(error, LowQuality) else asset):
        context.log_event(observation)
    context.instance.add_run_tags(context.run.run_id, _tags(failure))
    return failure


def _step_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the asset at which a run was when it ended; it may not have come to any."""
    begun = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_START, ascending=False).records
    return next((step for record in begun if (step := record.event_log_entry.step_key) in STEPS), STEPS[0])


def _observations(failure: Failure, first: str) -> Iterator[dg.AssetObservation]:
    """Say it on the partition of the first asset, and of those below, which lack their input.

    The first is that where it happened, or whose quality is at fault.
    """
    for asset in STEPS[STEPS.index(first) :]:
        yield dg.AssetObservation(
            asset, f"{failure.asset}: {failure.reason}", metadata_of(failure), partition=failure.video
        )


def _tags(failure: Failure) -> dict[str, str]:
    return {
        EXPLAINED_TAG: failure.kind,
        "failure/reason": failure.reason[:TAG_LETTERS],
        "failure/retry_at": failure.retry_at.isoformat(timespec="seconds") if failure.retry_at else "never",
    }
