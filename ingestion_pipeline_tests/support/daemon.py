"""What Dagster's daemon and its runs do around our sensors, on an instance in memory: no process, no work."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PARTITION_NAME_TAG, RUN_KEY_TAG, SENSOR_NAME_TAG
from dagster._core.test_utils import create_run_for_test

from ingestion_pipeline.defs.runs import EXPLAINED_TAG
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store.database import Database

EVENTS = {
    "STARTED": DagsterEventType.RUN_START,
    "SUCCESS": DagsterEventType.RUN_SUCCESS,
    "FAILURE": DagsterEventType.RUN_FAILURE,
    "CANCELED": DagsterEventType.RUN_CANCELED,
}
MODEL = Settings.model_fields["embedding_model"].default


class Daemon:
    """Evaluates sensors, adds the partitions they ask for and creates the runs, each key once, in this order.

    What a tick that was killed has requested is created when the next begins, as the real daemon does.
    """

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.repository, self.instance = definitions.get_repository_def(), instance
        self._resources = {"store": (definitions.resources or {})["store"]}
        self.reserved: list[tuple[str, dg.RunRequest]] = []

    def evaluate(self, sensor: str) -> dg.SensorResult:
        """Return what a sensor says now; nothing comes of it."""
        context = dg.build_sensor_context(self.instance, repository_def=self.repository, resources=self._resources)
        result = self.repository.get_sensor_def(sensor)(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return dg.SensorResult(skip_reason=result) if isinstance(result, dg.SkipReason) else result

    def tick(self, sensor: str, killed_after: int | None = None) -> list[str]:
        """Let a sensor tick and return the videos it requested; killed after so many steps, the rest stays reserved.

        The first step adds the partitions, the second reserves the requests, each further one creates a run.
        """
        self.resume()
        result = self.evaluate(sensor)
        steps = len(result.run_requests or ()) + 2 if killed_after is None else killed_after
        for adding in (result.dynamic_partitions_requests or ()) if steps > 0 else ():
            self.instance.add_dynamic_partitions("videos", adding.partition_keys)
        self.reserved = [(sensor, one) for one in result.run_requests or ()] if steps > 1 else []
        self.resume(steps - 2)
        return [str(one.partition_key) for one in result.run_requests or ()]

    def resume(self, most: int | None = None) -> None:
        """Create at most so many of the runs that are reserved."""
        while self.reserved and (most is None or most > 0):
            sensor, request = self.reserved.pop(0)
            most = None if most is None else most - 1
            key = {SENSOR_NAME_TAG: sensor, RUN_KEY_TAG: str(request.run_key)}
            if not self.instance.get_runs(dg.RunsFilter(tags=key)):
                self.run(str(request.partition_key), {**request.tags, **key})

    def run(self, video: str, tags: dict[str, str] | None = None, status: str = "NOT_STARTED") -> str:
        """Create a run of a video and return its id."""
        run = create_run_for_test(
            self.instance,
            job_name="ingest_video",
            status=dg.DagsterRunStatus(status),
            tags={PARTITION_NAME_TAG: video, **(tags or {})},
        )
        return str(run.run_id)

    def begin(self, run_id: str, step: str) -> None:
        """Let a run begin with a step."""
        event = dg.DagsterEvent(DagsterEventType.STEP_START.value, "ingest_video", step_key=step, message=step)
        self.instance.report_dagster_event(event, run_id)

    def become(self, run_id: str, status: str, explained: str = "") -> None:
        """Let a run start, or end; a failure that is explained carries its kind."""
        if explained:
            self.instance.add_run_tags(run_id, {EXPLAINED_TAG: explained})
        event = dg.DagsterEvent(EVENTS[status].value, "ingest_video", message=status)
        self.instance.report_dagster_event(event, run_id)

    def unfinished(self, video: str | None = None) -> Sequence[dg.DagsterRun]:
        """Return the runs that are queued or at work."""
        tags = {PARTITION_NAME_TAG: video} if video else {}
        return self.instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags=tags))


def finish(database: Database, video: str) -> None:
    """Note in the database that a video is done, as the last step does."""
    with database.connection() as connection:
        connection.execute(
            "insert into embedding_models (name, dimensions) values (%s, 1) on conflict do nothing", (MODEL,)
        )
        connection.execute("delete from failures where video = %s", (video,))
        connection.execute(
            "insert into embedded_videos select id, %s, 'f' from embedding_models where name = %s"
            " on conflict do nothing",
            (video, MODEL),
        )


def note_failure(database: Database, video: str, retry_in_s: float | None, kind: str = "transient") -> None:
    """Note in the database why a video failed or waits, and when it is tried again."""
    with database.connection() as connection:
        connection.execute(
            "insert into failures (video, asset, kind, reason, remedy, attempts, run_id, retry_at)"
            " values (%s, 'raw_audio', %s, 'A reason.', 'A remedy.', 1, 'a run', now() + make_interval(secs => %s))"
            " on conflict (video) do update set retry_at = excluded.retry_at, attempts = failures.attempts + 1",
            (video, kind, retry_in_s),
        )
