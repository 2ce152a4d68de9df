"""The jobs and schedules, as the UI starts them, on a Dagster instance in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.daemon import Daemon
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_channel, use_video_site
from ingestion_pipeline_tests.support.web import Site

PLAYLIST = {"Videos": [SiteVideo("one", "One", timestamp=2), SiteVideo("two", "Two", timestamp=1)]}


class Project:
    """Definitions on a database and folder of the test's own."""

    def __init__(self, database: Database, folder: Path, instance: dg.DagsterInstance, **settings: object) -> None:
        self.database, self.instance, self.sources = database, instance, folder / "sources.yaml"
        own = Settings(
            _env_file=None,  # type: ignore[call-arg]
            data_dir=folder,
            sources_file=self.sources,
            whisper_device="cpu",
            allow_private_addresses=True,
            **settings,  # type: ignore[arg-type]
        )
        self.definitions = definitions(own, database.url)

    def run(self, job: str, op: str = "", **config: object) -> dg.ExecuteInProcessResult:
        definition = self.definitions.get_repository_def().get_job(job)
        run_config = {"ops": {op: {"config": config}}} if op else {}
        return definition.execute_in_process(instance=self.instance, run_config=run_config, raise_on_error=False)

    def schedule(self, name: str) -> Any:  # noqa: ANN401 - a request or why there is none
        repository = self.definitions.get_repository_def()
        resources = {"downloads": (self.definitions.resources or {})["downloads"]} if name == "sweep_audio" else {}
        context = dg.build_schedule_context(self.instance, repository_def=repository, resources=resources)
        return repository.get_schedule_def(name)(context)

    def keys(self) -> list[str]:
        with self.database.connection() as connection:
            return catalogue.videos_to_do(connection, "any")

    def partitions(self) -> set[str]:
        return set(self.instance.get_dynamic_partitions("videos"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    use_video_site()
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(database: Database, tmp_path: Path, instance: dg.DagsterInstance) -> Project:
    return Project(database, tmp_path, instance)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert failure.user_failure_data
    return str(failure.user_failure_data.description)


def test_videos_are_added_from_the_ui_all_of_a_playlist(project: Project, site: Site) -> None:
    url = add_channel(site, "c", PLAYLIST)
    assert project.run("add_videos", "add_to_catalogue", urls=[url]).success
    assert len(project.keys()) == 2
    assert project.partitions() == set(project.keys())


def test_a_playlist_that_was_added_and_killed_before_its_partitions_is_not_lost(project: Project, site: Site) -> None:
    project.run("add_videos", "add_to_catalogue", urls=[add_channel(site, "c", PLAYLIST)])
    for key in project.partitions():
        project.instance.delete_dynamic_partition("videos", key)
    daemon = Daemon(project.definitions, project.instance)
    assert daemon.tick("new_uploads") == project.keys()
    assert project.partitions() == set(project.keys())


def test_an_address_at_which_there_is_nothing_does_not_stop_the_others(project: Project, site: Site) -> None:
    urls = [f"{site.url}/testsite/channel/{name}" for name in ("none", "neither")]
    failure = failure_of(project.run("add_videos", "add_to_catalogue", urls=[*urls, add_channel(site, "c", PLAYLIST)]))
    assert all(url in failure for url in urls)
    assert project.partitions() == set(project.keys()) != set()


def test_what_is_no_address_is_named(project: Project) -> None:
    assert "jNQXAC9IVRw is not an http or https address" in failure_of(
        project.run("add_videos", "add_to_catalogue", urls=["jNQXAC9IVRw"])
    )


def test_videos_are_removed_from_the_ui_and_one_that_is_busy_does_not_stop_the_others(
    project: Project, site: Site
) -> None:
    project.run("add_videos", "add_to_catalogue", urls=[add_channel(site, "c", PLAYLIST)])
    busy, idle = project.keys()
    with project.database.only_run_of(busy):
        failure = failure_of(project.run("remove_videos", "remove_from_catalogue", videos=[busy, idle]))
    assert f"A run works on video {busy}" in failure
    assert (project.keys(), project.partitions()) == ([busy], {busy})
    assert project.run("remove_videos", "remove_from_catalogue", videos=[busy]).success
    assert (project.keys(), project.partitions()) == ([], set())


def test_a_source_that_is_down_fails_the_check_of_the_catalogue_and_no_other(project: Project, site: Site) -> None:
    good = add_channel(site, "c", PLAYLIST)
    project.sources.write_text(f"sources: [{{name: lost, feed: '{site.url}/feed'}}, {{name: here, url: '{good}'}}]\n")
    result = project.run("list_sources")
    (check,) = result.get_asset_check_evaluations()
    assert result.success
    assert (check.passed, check.severity, list(check.metadata)) == (False, dg.AssetCheckSeverity.WARN, ["lost"])
    assert "404" in str(check.metadata["lost"].value)
    assert len(project.keys()) == 2
    project.sources.write_text(f"sources: [{{name: here, url: '{good}'}}]\n")
    (check,) = project.run("list_sources").get_asset_check_evaluations()
    assert check.passed


def test_sources_are_not_listed_twice_at_once(database: Database, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as on_disk:
        _lists_once(Project(database, tmp_path, on_disk))


def _lists_once(project: Project) -> None:
    assert isinstance(project.schedule("discover_sources"), dg.RunRequest)
    job = project.definitions.get_repository_def().get_job("list_sources")
    run = project.instance.create_run_for_job(job)
    assert project.schedule("discover_sources") == dg.SkipReason("The last listing is not done yet.")
    project.instance.report_run_canceled(run)
    assert isinstance(project.schedule("discover_sources"), dg.RunRequest)


def test_audio_is_swept_only_where_it_is_not_kept(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    keeping = Project(database, tmp_path, instance)
    assert keeping.schedule("sweep_audio") == dg.SkipReason("AUDIO_RETENTION is keep.")
    deleting = Project(database, tmp_path, instance, audio_retention="delete")
    assert isinstance(deleting.schedule("sweep_audio"), dg.RunRequest)
    assert deleting.run("delete_audio").success
