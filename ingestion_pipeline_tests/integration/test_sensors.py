"""The sensors on a real database and a Dagster instance in memory: what they request, and what they wait for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG
from dagster._time import get_current_timestamp
from sqlalchemy import event
from sqlalchemy.engine import Engine

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.defs.requesting import MOST_AT_ONCE
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import catalogue, failures, sites
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.failures import Failure
from ingestion_pipeline_tests.support.daemon import Daemon, finish, note_failure
from ingestion_pipeline_tests.support.examples import video

LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]


def daemon_of(database: Database, instance: dg.DagsterInstance, folder: Path, retry_after_s: float) -> Daemon:
    settings = Settings(_env_file=None, data_dir=folder, whisper_device="cpu", retry_after_s=retry_after_s)  # type: ignore[call-arg]
    return Daemon(definitions(settings, database.url), instance)


@pytest.fixture
def daemon(database: Database, tmp_path: Path) -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield daemon_of(database, instance, tmp_path, retry_after_s=300)


@pytest.fixture
def impatient(database: Database, tmp_path: Path) -> Iterator[Daemon]:
    """Give a daemon whose pauses are over at once."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield daemon_of(database, instance, tmp_path, retry_after_s=1e-6)


def add(database: Database, count: int) -> list[str]:
    """Add videos, the newest first, and return their keys."""
    found = [video(number, published_at=LONG_AGO - timedelta(days=number)) for number in range(count)]
    with database.writing() as connection:
        catalogue.save_videos(connection, found)
    return [one.key for one in found]


def said(daemon: Daemon, sensor: str) -> str:
    reason = daemon.evaluate(sensor).skip_reason
    assert reason is not None
    return str(reason.skip_message)


def test_new_videos_become_partitions_and_runs_the_newest_first(database: Database, daemon: Daemon) -> None:
    keys = add(database, 3)
    assert daemon.tick("new_uploads") == keys
    assert set(daemon.instance.get_dynamic_partitions("videos")) == set(keys)
    assert len(daemon.unfinished()) == 3
    assert daemon.tick("new_uploads") == []
    assert said(daemon, "new_uploads") == "nothing new; 3 in progress"
    assert said(daemon, "retry_due") == "nothing to try again"


def test_a_request_says_what_it_is_about_and_how_long_it_may_take(database: Database, daemon: Daemon) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [video(1, duration_s=7200.0), video(2, channel="", duration_s=None)])
    one, other = daemon.evaluate("new_uploads").run_requests or ()
    assert one.tags == {
        "video/title": "Video 1",
        "video/channel": "A podcast",
        "source": "podcast",
        MAX_RUNTIME_SECONDS_TAG: str(72 * 3600 + 4 * 7200),
    }
    assert other.tags == {"video/title": "Video 2", "source": "podcast"}


def test_what_is_done_is_left_alone(database: Database, daemon: Daemon) -> None:
    for key in add(database, 2):
        finish(database, key)
    assert said(daemon, "new_uploads") == "nothing new"


@pytest.mark.parametrize("killed_after", range(5))
def test_a_tick_that_is_killed_anywhere_loses_no_video_and_requests_none_twice(
    database: Database, daemon: Daemon, killed_after: int
) -> None:
    """Before it adds the partitions, before it reserves its requests, before the first run, between two runs."""
    keys = add(database, 3)
    daemon.tick("new_uploads", killed_after)
    assert len(daemon.unfinished()) == max(0, killed_after - 2)
    daemon.tick("new_uploads")
    assert [len(daemon.unfinished(key)) for key in keys] == [1, 1, 1]
    assert set(daemon.instance.get_dynamic_partitions("videos")) == set(keys)


def test_a_tick_whose_result_is_lost_gives_the_same_keys_again(database: Database, daemon: Daemon) -> None:
    add(database, 3)
    first, second = ([one.run_key for one in daemon.evaluate("new_uploads").run_requests or ()] for _ in range(2))
    assert first == second
    assert len(set(first)) == 3


def test_a_cancelled_run_is_not_lost_for_ever(database: Database, impatient: Daemon) -> None:
    (key,) = add(database, 1)
    for _ in range(4):
        assert impatient.tick("new_uploads") == [key]
        (run,) = impatient.unfinished(key)
        impatient.become(run.run_id, "CANCELED")
    runs = impatient.instance.get_runs()
    assert {run.tags["dagster/run_key"] for run in runs} == {f"{key}:{attempt}" for attempt in range(4)}


def test_after_a_killed_run_there_is_a_pause(database: Database, daemon: Daemon) -> None:
    (key,) = add(database, 1)
    daemon.become(daemon.run(key), "FAILURE")
    assert daemon.tick("new_uploads") == []
    assert said(daemon, "new_uploads").startswith("nothing new; 1 wait until ")


def test_after_five_killed_runs_in_a_row_a_person_is_asked_for(database: Database, impatient: Daemon) -> None:
    (key,) = add(database, 1)
    kill_five_runs(impatient, key)
    assert said(impatient, "new_uploads") == "nothing new; 1 failed for good"
    assert said(impatient, "new_uploads") == "nothing new; 1 failed for good"
    found = failure(database, key)
    assert (found.kind, found.attempts, found.retry_at) == ("killed", 1, None)
    assert "its last 5 runs were killed or cancelled" in found.reason
    run = impatient.instance.get_run_by_id(found.run_id)
    assert run is not None
    assert (run.tags["failure/kind"], run.tags["failure/retry_at"]) == ("killed", "never")


def test_it_is_shown_at_the_step_that_the_last_run_had_come_to(database: Database, impatient: Daemon) -> None:
    (key,) = add(database, 1)
    kill_five_runs(impatient, key, step="transcripts")
    impatient.evaluate("new_uploads")
    assert failure(database, key).asset == "transcripts"
    assert observed(impatient, key) == {"transcripts", "segment_embeddings"}


@pytest.mark.parametrize("sensor", ["new_uploads", "retry_due"])
def test_a_person_has_a_video_tried_again_after_so_many_kills_once(
    database: Database, impatient: Daemon, sensor: str
) -> None:
    (key,) = add(database, 1)
    if sensor == "retry_due":
        note_failure(database, key, retry_in_s=-60)
    kill_five_runs(impatient, key)
    impatient.evaluate(sensor)
    with database.writing() as connection:
        assert [due.video for due in failures.make_due(connection, [key])] == [key]
    assert impatient.tick("retry_due") == [key]
    impatient.become(impatient.unfinished(key)[0].run_id, "FAILURE")
    assert said(impatient, "retry_due") == "nothing to try again; 1 failed for good"
    assert failure(database, key).attempts == 2


def kill_five_runs(daemon: Daemon, key: str, step: str = "raw_audio") -> None:
    """One of them was executed again after a failure."""
    for number in range(5):
        run = daemon.run(key, {"failure/kind": "none"} if number == 2 else None)
        daemon.begin(run, step)
        daemon.become(run, "FAILURE")


def failure(database: Database, key: str) -> Failure:
    with database.connection() as connection:
        found = failures.failure_of(connection, key)
    assert found is not None
    return found


def observed(daemon: Daemon, key: str) -> set[str]:
    """Return the assets whose partition says that it failed."""
    records = [
        daemon.instance.fetch_observations(dg.AssetRecordsFilter(dg.AssetKey(step), asset_partitions=[key]), limit=1)
        for step in STEPS
    ]
    return {step for step, found in zip(STEPS, records, strict=True) if found.records}


def test_a_failed_video_is_for_the_other_sensor_when_its_time_has_come(database: Database, daemon: Daemon) -> None:
    due, waiting, for_good = keys = add(database, 3)
    for key in keys:
        daemon.become(daemon.run(key), "FAILURE", explained="transient")
    note_failure(database, waiting, retry_in_s=3600)
    note_failure(database, for_good, retry_in_s=None)
    note_failure(database, due, retry_in_s=0)
    until = datetime.now(UTC) + timedelta(hours=1)
    assert f"{until:%H:%M} UTC, 1 failed for good" in said(daemon, "new_uploads")
    assert daemon.tick("new_uploads") == []
    assert daemon.tick("retry_due") == [due]
    assert daemon.tick("retry_due") == []
    assert said(daemon, "retry_due").startswith("nothing to try again; 1 in progress, 1 wait until ")


def test_a_retry_that_is_killed_is_tried_again_after_a_pause(database: Database, daemon: Daemon) -> None:
    (key,) = add(database, 1)
    note_failure(database, key, retry_in_s=-60)
    assert daemon.tick("retry_due") == [key]
    (run,) = daemon.unfinished(key)
    daemon.become(run.run_id, "FAILURE")
    assert daemon.tick("retry_due") == []
    note_failure(database, key, retry_in_s=0)
    assert daemon.tick("retry_due") == [key]


def test_what_lies_on_a_site_that_refuses_is_requested_once_its_pause_is_over(
    database: Database, daemon: Daemon
) -> None:
    [here], elsewhere = add(database, 1), video(2, media_url="https://elsewhere.org/2.mp3")
    with database.writing() as connection:
        catalogue.save_videos(connection, [elsewhere])
        sites.block(connection, "example.org", datetime.now(UTC) + timedelta(hours=1), "HTTP 429")
    assert daemon.tick("new_uploads") == [elsewhere.key]
    assert said(daemon, "new_uploads") == "nothing new; 1 in progress, 1 wait for a site that refuses"
    with database.writing() as connection:
        sites.unblock(connection, ["example.org"])
    assert daemon.tick("new_uploads") == [here]


def test_a_video_that_a_person_runs_is_not_requested_besides(database: Database, daemon: Daemon) -> None:
    by_hand, other = add(database, 2)
    daemon.run(by_hand)
    assert daemon.tick("new_uploads") == [other]


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
@pytest.mark.parametrize("of_assets", [True, False])
def test_a_backfill_that_has_not_ended_holds_its_videos(database: Database, daemon: Daemon, of_assets: bool) -> None:
    held, other = keys = add(database, 2)
    daemon.instance.add_dynamic_partitions("videos", keys)
    backfill = backfill_of(daemon, [held], of_assets=of_assets)
    daemon.instance.add_backfill(backfill)
    assert daemon.tick("new_uploads") == [other]
    assert said(daemon, "new_uploads") == "nothing new; 1 in progress, 1 in a backfill"
    daemon.instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_FAILED))
    assert daemon.tick("new_uploads") == [held]


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
@pytest.mark.parametrize("of_assets", [True, False])
def test_what_a_backfill_has_requested_is_retried_before_the_backfill_ends(
    database: Database, daemon: Daemon, of_assets: bool
) -> None:
    failed, _ = keys = add(database, 2)
    daemon.instance.add_dynamic_partitions("videos", keys)
    backfill = backfill_of(daemon, keys, of_assets=of_assets)
    daemon.instance.add_backfill(having_requested(daemon, backfill, failed))
    daemon.become(daemon.run(failed), "FAILURE")
    for key in keys:
        note_failure(database, key, retry_in_s=0)
    assert daemon.tick("retry_due") == [failed]


def having_requested(daemon: Daemon, backfill: PartitionBackfill, key: str) -> PartitionBackfill:
    """Return the backfill as it is once the run of the first of its videos is requested."""
    if not backfill.is_asset_backfill:
        return backfill.with_partition_checkpoint(key)
    graph = daemon.repository.asset_graph
    submitted = AssetGraphSubset.from_asset_partition_set(
        {AssetKeyPartitionKey(dg.AssetKey(step), key) for step in STEPS}, graph
    )
    data = backfill.get_asset_backfill_data(graph).replace_requested_subset(submitted)
    return backfill.with_asset_backfill_data(data, daemon.instance, graph)


def backfill_of(daemon: Daemon, keys: list[str], *, of_assets: bool) -> PartitionBackfill:
    """Return a backfill as the UI requests one, of the assets or of the job."""
    common = {"backfill_id": "abcdefgh", "tags": {}, "backfill_timestamp": get_current_timestamp()}
    if of_assets:
        return PartitionBackfill.from_asset_partitions(
            **common,
            asset_graph=daemon.repository.asset_graph,
            partition_names=keys,
            asset_selection=[dg.AssetKey(step) for step in STEPS],
            dynamic_partitions_store=daemon.instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    return PartitionBackfill(
        **common, status=BulkActionStatus.REQUESTED, from_failure=False, partition_names=keys, partition_set_origin=None
    )


def test_the_queue_stays_short_and_what_is_newer_goes_first(database: Database, daemon: Daemon) -> None:
    keys = add(database, MOST_AT_ONCE + 20)
    assert daemon.tick("new_uploads") == keys[:MOST_AT_ONCE]
    assert daemon.tick("new_uploads") == []
    assert said(daemon, "new_uploads") == f"nothing new; {MOST_AT_ONCE} in progress, 20 wait for a place"
    for key in keys[:5]:
        finish(database, key)
        daemon.become(daemon.unfinished(key)[0].run_id, "SUCCESS")
    with database.writing() as connection:
        catalogue.save_videos(connection, [video(999, published_at=LONG_AGO + timedelta(days=1))])
    assert daemon.tick("new_uploads") == [video(999).key, *keys[MOST_AT_ONCE : MOST_AT_ONCE + 4]]


def test_a_tick_asks_no_question_for_each_video(database: Database, daemon: Daemon) -> None:
    for key in add(database, 60):
        daemon.become(daemon.run(key), "CANCELED")
    with counted_queries() as queries:
        assert said(daemon, "new_uploads").startswith("nothing new; 60 wait until")
    assert 0 < sum("FROM runs" in query for query in queries) <= 3
    assert len(queries) < 30


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Give the list of what is asked of Dagster's storage."""
    queries: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        queries.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(Engine, "before_cursor_execute", note)
