"""The assets on a Dagster instance in memory: materializations, their metadata, failures, what counts as up to date."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.demo.podcast import feed, podcast
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.web import Site

STEPS = ("raw_audio", "transcripts", "segment_embeddings")


class Project:
    """Definitions on a database and folder of the test's own."""

    def __init__(self, database: Database, folder: Path, feed: str, newest: int) -> None:
        self.sources = folder / "sources.yaml"
        self.list_only(feed, newest)
        self.definitions = definitions(
            Settings(
                _env_file=None,  # type: ignore[call-arg]
                data_dir=folder,
                sources_file=self.sources,
                whisper_model="demo-en",
                whisper_device="cpu",
                allow_private_addresses=True,
            ),
            database.url,
            mode="in_process",
        )
        self.repository = self.definitions.get_repository_def()

    def list_only(self, feed: str, newest: int) -> None:
        self.sources.write_text(f"sources: [{{name: demo, feed: '{feed}', newest: {newest}}}]\n")

    def run(
        self, instance: dg.DagsterInstance, job: str, partition: str | None = None, force: bool = False
    ) -> dg.ExecuteInProcessResult:
        config: dict[str, object] = {}
        if partition:
            config["ops"] = {step: {"config": {"force": force}} for step in STEPS}
        definition = self.repository.get_job(job)
        return definition.execute_in_process(
            instance=instance, partition_key=partition, run_config=config, raise_on_error=False
        )


@pytest.fixture
def project(database: Database, tmp_path: Path) -> object:
    with podcast() as feed, dg.DagsterInstance.ephemeral() as instance:
        yield Project(database, tmp_path, feed, newest=1), instance, feed


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def test_a_listing_adds_partitions_and_a_run_takes_one_through(project: tuple) -> None:
    demo, instance, _ = project
    listing = demo.run(instance, "list_sources")
    assert metadata(listing, "video_catalog")["new"] == 1
    (key,) = instance.get_dynamic_partitions("videos")
    result = demo.run(instance, "ingest_video", key)
    audio, transcript, embedded = (metadata(result, step) for step in STEPS)
    assert audio["bytes"] in {file.stat().st_size for file in EPISODES}
    assert audio["codec"] == "opus"
    assert isinstance(transcript["rtfx"], float)
    assert transcript["segments"] > 5
    assert transcript["preview"].startswith("- [0:0")
    assert [check.check_name for check in result.get_asset_check_evaluations() if not check.passed] == []
    assert embedded["dimensions"] == 384
    assert embedded["rows_written"] == embedded["passages"] >= 1


def test_unchanged_steps_say_so_and_force_overrides(project: tuple) -> None:
    demo, instance, _ = project
    demo.run(instance, "list_sources")
    (key,) = instance.get_dynamic_partitions("videos")
    demo.run(instance, "ingest_video", key)
    again = demo.run(instance, "ingest_video", key)
    assert [metadata(again, step).get("changed") for step in STEPS[:2]] == [False, False]
    assert metadata(again, "segment_embeddings")["rows_written"] == 0
    forced = demo.run(instance, "ingest_video", key, force=True)
    assert [metadata(forced, step).get("changed") for step in STEPS[:2]] == [True, True]


def test_a_new_listing_leaves_old_partitions_up_to_date(project: tuple) -> None:
    demo, instance, feed = project
    demo.run(instance, "list_sources")
    (key,) = instance.get_dynamic_partitions("videos")
    demo.run(instance, "ingest_video", key)
    demo.list_only(feed, newest=2)
    assert metadata(demo.run(instance, "list_sources"), "video_catalog")["new"] == 1
    resolver = CachingStaleStatusResolver(instance, demo.repository.asset_graph, LoadingContextForTest(instance))
    statuses = [resolver.get_status(dg.AssetKey(step), key) for step in STEPS]
    assert statuses == [StaleStatus.FRESH] * 3


def test_a_failure_says_what_to_do_and_spares_the_steps_after_it(project: tuple, site: Site) -> None:
    demo, instance, _ = project
    body = feed(site.url, EPISODES).replace(b".opus", b".gone")
    demo.list_only(site.add("/feed.xml", body, "application/rss+xml"), newest=1)
    demo.run(instance, "list_sources")
    (key,) = instance.get_dynamic_partitions("videos")
    result = demo.run(instance, "ingest_video", key)
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert failure.user_failure_data.description.startswith(f"{key}: ")
    assert "404" in failure.user_failure_data.description
    assert failure.user_failure_data.metadata["kind"].value == "permanent"
    assert [event.step_key for event in result.all_events if event.is_step_start] == ["raw_audio"]


def test_a_malformed_sources_file_fails_with_its_line(project: tuple) -> None:
    demo, instance, _ = project
    demo.sources.write_text("sources:\n  - name: a\n    feed: ftp://example.org\n")
    result = demo.run(instance, "list_sources")
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert "sources.yaml line 3" in failure.user_failure_data.description
