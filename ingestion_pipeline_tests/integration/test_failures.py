"""Runs whose video fails or waits: what the pages, the run's tags and the table say, and what a success clears."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ingestion_pipeline.defs.failures import STEPS
from ingestion_pipeline.defs.resources import Downloads, Store
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.failures import RUNS
from ingestion_pipeline.pipeline import Log
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.retries import TRIES
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support import video_site
from ingestion_pipeline_tests.support.examples import video
from ingestion_pipeline_tests.support.video_runs import VideoRuns, downloads_to
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_video, use_video_site
from ingestion_pipeline_tests.support.web import Site

OPUS = EPISODES[0].read_bytes()
DUE = datetime(2096, 10, 2, 7, 6, 40, tzinfo=UTC)


@pytest.fixture
def runs(database: Database, tmp_path: Path) -> Iterator[VideoRuns]:
    use_video_site()
    with dg.DagsterInstance.ephemeral() as instance:
        yield VideoRuns(database, tmp_path, instance)


def added(runs: VideoRuns, url: str) -> str:
    one = video(1, media_url=url)
    runs.add(one)
    return one.key


@pytest.mark.parametrize(
    ("shown", "kind", "reason"),
    [
        (video_site.bot_check("v1"), "breaker", "not a bot"),
        (SiteVideo("v1", live_status="is_upcoming", release_timestamp=int(DUE.timestamp())), "deferred", "is upcoming"),
        (video_site.live_now("v1"), "deferred", "is live now"),
    ],
)
def test_what_waits_ends_its_run_without_an_output(
    runs: VideoRuns, site: Site, shown: SiteVideo, kind: str, reason: str
) -> None:
    key = added(runs, add_video(site, shown, OPUS))
    before = datetime.now(UTC)
    result = runs.run(key)
    assert result.success
    assert [event.step_key for event in result.all_events if event.is_step_skipped] == list(STEPS[1:])
    assert not result.get_asset_materialization_events()
    assert explained(runs, result, key, "raw_audio", kind, reason)["next_try"] is not None
    failure = runs.failure(key)
    assert failure is not None
    assert failure.retry_at is not None
    assert failure.retry_at > before
    if "due 2096" in failure.reason:
        assert failure.retry_at == DUE


def explained(
    runs: VideoRuns, result: dg.ExecuteInProcessResult, key: str, asset: str, kind: str, reason: str
) -> dict[str, object]:
    """Check that pages, tags and table say alike why a video is missing from an asset on; return what a page shows."""
    failure = runs.failure(key)
    assert failure is not None
    assert (failure.asset, failure.kind, failure.run_id) == (asset, kind, result.run_id)
    assert reason in failure.reason
    tags = runs.instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    assert (tags["failure/kind"], tags["failure/reason"]) == (kind, failure.reason[:120])
    again = failure.retry_at and failure.retry_at.isoformat(timespec="seconds")
    assert tags["failure/retry_at"] == (again or "never")
    below = STEPS[STEPS.index(asset) :]
    pages = [runs.observed(step, key) for step in below]
    assert pages == [pages[0]] * len(below)
    assert (pages[0]["kind"], pages[0]["reason"], pages[0]["remedy"]) == (kind, failure.reason, failure.remedy)
    assert (pages[0]["attempts"], pages[0]["run"]) == (failure.attempts, result.run_id)
    assert all(runs.missing(step, key) for step in below)
    return pages[0]


@pytest.mark.parametrize(
    ("shown", "kind", "reason"),
    [
        (video_site.removed("v1"), "permanent", "removed by the uploader"),
        (video_site.members_only("v1"), "needs_access", "members-only"),
    ],
)
def test_what_a_person_has_to_mend_fails_and_is_not_tried_again(
    runs: VideoRuns, site: Site, shown: SiteVideo, kind: str, reason: str
) -> None:
    key = added(runs, add_video(site, shown))
    result = runs.run(key)
    assert not result.success
    assert explained(runs, result, key, "raw_audio", kind, reason)["next_try"] == "when a person asks"
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert reason in failure.user_failure_data.description
    assert failure.user_failure_data.metadata["kind"].value == kind
    assert [event.step_key for event in result.all_events if event.is_step_start] == ["raw_audio"]
    assert len([path for _, path, _ in site.requests]) == 1


def test_what_may_pass_is_tried_three_times_in_the_step_and_later_again(runs: VideoRuns, site: Site) -> None:
    key = added(runs, site.add("/1.opus", b"", "text/plain", status=503))
    result = runs.run(key)
    assert not result.success
    explained(runs, result, key, "raw_audio", "transient", "HTTP Error 503")
    assert {(path, status) for _, path, status in site.requests} == {("/1.opus", 503)}
    once = len(site.requests)
    assert once == TRIES
    site.requests.clear()
    for attempts in range(2, RUNS + 1):
        runs.run(key)
        failure = runs.failure(key)
        assert failure is not None
        assert failure.attempts == attempts
        assert (failure.retry_at is None) == (attempts == RUNS)
    assert len(site.requests) == once * (RUNS - 1)


def test_a_run_that_is_executed_again_does_not_show_the_failure_of_its_parent(runs: VideoRuns, site: Site) -> None:
    key = added(runs, site.add("/1.opus", b"", "text/plain", status=404))
    of_parent = failure_tags(runs, runs.run(key, ["raw_audio"]))
    assert of_parent["failure/kind"] == "permanent"
    site.add("/1.opus", OPUS, "audio/ogg")
    again = runs.run(key, ["raw_audio"], of_parent)
    assert failure_tags(runs, again) == dict.fromkeys(of_parent, "none")


def failure_tags(runs: VideoRuns, result: dg.ExecuteInProcessResult) -> dict[str, str]:
    run = runs.instance.get_run_by_id(result.run_id)
    assert run is not None
    return {name: value for name, value in run.tags.items() if name.startswith("failure/")}


def test_a_success_clears_it_and_the_next_failure_is_the_first_again(runs: VideoRuns, site: Site) -> None:
    url = site.add("/1.opus", b"", "text/plain", status=503)
    key = added(runs, url)
    for _ in range(2):
        runs.run(key, ["raw_audio"])
    site.add("/1.opus", OPUS, "audio/ogg")
    assert runs.run(key, ["raw_audio"]).success
    assert runs.failure(key) is None
    (runs.audio / f"{key}.opus").unlink()
    site.add("/1.opus", b"", "text/plain", status=404)
    runs.run(key, ["raw_audio"])
    failure = runs.failure(key)
    assert failure is not None
    assert (failure.kind, failure.attempts) == ("permanent", 1)


def test_a_success_of_another_step_clears_nothing(runs: VideoRuns, site: Site) -> None:
    key = added(runs, site.add("/1.opus", OPUS, "audio/ogg"))
    result = runs.run(key, ["transcripts"])
    explained(runs, result, key, "transcripts", "permanent", "is not there")
    assert runs.run(key, ["raw_audio"]).success
    assert runs.failure(key) is not None


def test_what_failed_for_its_input_is_due_once_that_was_made_anew(runs: VideoRuns, site: Site) -> None:
    key = added(runs, site.add("/1.opus", OPUS, "audio/ogg"))
    runs.run(key, ["transcripts"])
    before = runs.failure(key)
    assert before is not None
    assert before.retry_at is None
    assert runs.run(key, ["raw_audio"]).success
    due = runs.failure(key)
    assert due is not None
    assert due.retry_at is not None
    assert runs.run(key, ["raw_audio", "transcripts"]).success
    assert runs.failure(key) is None


def test_a_first_refusal_passes_in_the_next_try(runs: VideoRuns, site: Site) -> None:
    url = site.add("/1.opus", b"", "text/plain", status=403)
    key = added(runs, url)

    def allow_the_second(_: str) -> None:
        if site.requests:
            site.add("/1.opus", OPUS, "audio/ogg")

    site.before_answer = allow_the_second
    assert runs.run(key, ["raw_audio"]).success
    assert runs.failure(key) is None
    assert site.requests[0][2] == 403


def test_a_fault_of_this_machine_waits_for_a_person(runs: VideoRuns, site: Site, tmp_path: Path) -> None:
    (tmp_path / "audio").write_bytes(b"")
    key = added(runs, site.add("/1.opus", OPUS, "audio/ogg"))
    result = runs.run(key)
    assert explained(runs, result, key, "raw_audio", "environment", "cannot be written to")["attempts"] == 1


class BuggyDownloads(Downloads):
    def fetch(self, video: Video, log: Log) -> Audio:
        raise ZeroDivisionError(f"{video.key}{log}")


def test_a_bug_is_kept_as_one_and_goes_on_as_it_is(runs: VideoRuns, tmp_path: Path) -> None:
    runs.resources["downloads"] = downloads_to(tmp_path, BuggyDownloads)
    key = added(runs, "https://example.org/1.opus")
    result = runs.run(key)
    explained(runs, result, key, "raw_audio", "transient", f"{key}: ZeroDivisionError: {key}")
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert failure.user_failure_data is None
    assert failure.error.cause.cls_name == "ZeroDivisionError"


class InterruptedDownloads(Downloads):
    def fetch(self, video: Video, log: Log) -> Audio:
        raise KeyboardInterrupt(video.key, log)


def test_an_interruption_is_no_failure(runs: VideoRuns, tmp_path: Path) -> None:
    runs.resources["downloads"] = downloads_to(tmp_path, InterruptedDownloads)
    key = added(runs, "https://example.org/1.opus")
    assert not runs.run(key).success
    assert runs.failure(key) is None


def test_a_database_that_is_gone_does_not_hide_the_failure(runs: VideoRuns) -> None:
    runs.resources["store"] = Store(url="postgresql://nobody@127.0.0.1:1/none", writers=1)
    key = added(runs, "https://example.org/1.opus")
    result = runs.run(key)
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert "The database cannot be reached" in failure.user_failure_data.description
    assert failure.user_failure_data.metadata["kind"].value == "environment"
    assert runs.observed("segment_embeddings", key)["kind"] == "environment"


def test_a_key_that_nobody_knows_is_explained_on_its_pages_alone(runs: VideoRuns) -> None:
    runs.instance.add_dynamic_partitions("videos", ["unknown"])
    assert not runs.run("unknown").success
    assert "not in the catalogue" in str(runs.observed("raw_audio", "unknown")["reason"])
    assert runs.failure("unknown") is None


def test_a_youtube_id_that_a_person_typed_in_is_looked_up_by_the_run(
    runs: VideoRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # so that nobody asks YouTube
    key = "jNQXAC9IVRw"
    runs.instance.add_dynamic_partitions("videos", [key])
    run = runs.instance.get_run_by_id(runs.run(key, ["raw_audio"]).run_id)
    failure = runs.failure(key)
    assert failure is not None
    assert (failure.kind, failure.title) == ("transient", key)
    assert run is not None
    assert (run.tags["video/title"], run.tags["source"]) == (key, "added")


def test_the_longest_that_a_run_may_take_is_noted_however_it_was_launched(runs: VideoRuns, site: Site) -> None:
    one = video(1, media_url=site.add("/1.opus", b"", "text/plain", status=404), duration_s=3600.0)
    runs.add(one)
    run = runs.instance.get_run_by_id(runs.run(one.key, ["raw_audio"]).run_id)
    assert run is not None
    assert run.tags["dagster/max_runtime"] == str((72 + 4) * 3600)


def test_connections_of_a_run_carry_its_name(database: Database) -> None:
    store = Store(url=database.url, writers=1)
    run = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    with store.database_of(run).only_run_of("feed-1"), database.connection() as connection:
        names = connection.execute("select application_name from pg_stat_activity where datname = current_database()")
        assert (f"ingest {run}",) in names.fetchall()
