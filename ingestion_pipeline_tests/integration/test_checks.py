"""Asset checks on the partitions of videos: sound ones pass, a warning stops nothing, an error keeps from embedding."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline.records import Transcript
from ingestion_pipeline.store import transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.integration.test_assets import Project, metadata
from ingestion_pipeline_tests.support.examples import transcript

CHECKS = {
    "raw_audio": {"length"},
    "transcripts": {"speech_covered", "repetition", "words_per_second", "language", "timestamps", "left_out"},
    "segment_embeddings": {"count", "dimensions", "norm", "numbers"},
}
LOOP = transcript(*["Thank you very much for watching this."] * 20)


class Ingested:
    """A project with one episode that went through all steps."""

    def __init__(self, database: Database, folder: Path, feed: str, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.project = Project(database, folder, feed, newest=1)
        self.project.run(instance, "list_sources")
        (self.key,) = instance.get_dynamic_partitions("videos")
        self.first = self.project.run(instance, "ingest_video", self.key)

    def hear(self, heard: Transcript) -> None:
        """Have the transcript say something else, as though its model had heard that."""
        with self.database.writing() as connection:
            fingerprint = transcripts.fingerprint_of(connection, self.key)
            transcripts.save_transcript(connection, self.key, replace(heard, fingerprint=fingerprint))

    def heard(self) -> Transcript:
        with self.database.connection() as connection:
            return transcripts.transcript_of(connection, self.key)

    def run(self) -> dg.ExecuteInProcessResult:
        return self.project.run(self.instance, "ingest_video", self.key)

    def embed_alone(self, *, force: bool = False) -> dg.ExecuteInProcessResult:
        job = self.project.repository.get_job("ingest_video")
        return job.execute_in_process(
            instance=self.instance,
            partition_key=self.key,
            asset_selection=[dg.AssetKey("segment_embeddings")],
            run_config={"ops": {"segment_embeddings": {"config": {"force": force}}}},
            raise_on_error=False,
        )


@pytest.fixture
def ingested(database: Database, tmp_path: Path) -> Iterator[Ingested]:
    with podcast() as feed, dg.DagsterInstance.ephemeral() as instance:
        yield Ingested(database, tmp_path, feed, instance)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {(one.asset_key.to_user_string(), one.check_name): one for one in found}


def failed(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckSeverity]:
    return {check: one.severity for (_, check), one in evaluations(result).items() if not one.passed}


def reason(result: dg.ExecuteInProcessResult) -> str:
    (step,) = [event for event in result.all_events if event.is_step_failure]
    assert step.step_key == "segment_embeddings"
    return str(step.step_failure_data.user_failure_data.description)


def test_a_sound_video_passes_all_checks_of_its_partition(ingested: Ingested) -> None:
    found = evaluations(ingested.first)
    assert {asset: {check for of, check in found if of == asset} for asset in CHECKS} == CHECKS
    assert failed(ingested.first) == {}
    assert {one.partition for one in found.values()} == {ingested.key}
    assert found["transcripts", "words_per_second"].metadata["words"].value > 50
    assert metadata(ingested.first, "transcripts")["quality"] == "good"


def test_an_unchanged_video_is_checked_again(ingested: Ingested) -> None:
    first, again = evaluations(ingested.first), evaluations(ingested.run())
    assert {check: one.metadata for check, one in again.items()} == {
        check: one.metadata for check, one in first.items()
    }


def test_an_error_keeps_from_embedding_and_says_so_on_both_partitions(ingested: Ingested) -> None:
    ingested.hear(LOOP)
    result = ingested.run()
    assert failed(result) == {"repetition": dg.AssetCheckSeverity.ERROR}
    assert str(metadata(result, "transcripts")["quality"]).startswith("not embedded. repetition: 100% of the words")
    assert f"The transcript of video {ingested.key} is not fit for a search" in reason(result)
    assert "segment_embeddings with force" in reason(result)


def test_the_block_holds_where_the_embeddings_are_made_alone_and_force_lifts_it(ingested: Ingested) -> None:
    ingested.hear(LOOP)
    assert "repetition" in reason(ingested.embed_alone())
    assert ingested.embed_alone(force=True).success
    assert ingested.embed_alone().success, "what a person took as it is is not refused again"


def test_a_warning_stops_nothing(ingested: Ingested) -> None:
    heard = ingested.heard()
    ingested.hear(replace(heard, left_out_s=heard.speech_s / 2))
    result = ingested.run()
    assert result.success
    assert failed(result) == {"left_out": dg.AssetCheckSeverity.WARN}
    assert str(metadata(result, "transcripts")["quality"]).startswith("warning. left_out: ")


def test_embeddings_that_are_missing_fail_a_check(ingested: Ingested) -> None:
    with ingested.database.connection() as connection:
        connection.execute("delete from embeddings where idx = 0")
    assert failed(ingested.run()) == {"count": dg.AssetCheckSeverity.ERROR}


def test_a_run_is_tagged_with_its_video(ingested: Ingested) -> None:
    run = ingested.instance.get_run_by_id(ingested.first.run_id)
    shown = metadata(ingested.first, "raw_audio")
    assert run
    assert (run.tags["video/title"], run.tags["video/channel"]) == (shown["title"], shown["channel"])
    assert run.tags["source"] == "demo"


def test_the_preview_opens_the_video_where_a_sentence_is_said(ingested: Ingested) -> None:
    shown = str(metadata(ingested.first, "transcripts")["preview"])
    first = ingested.heard().segments[0]
    assert f".opus#t={int(first.start)}>) {first.text}" in shown.splitlines()[0]
    assert f"`ingest export {ingested.key} --format srt`" in shown


def test_the_catalogue_shows_how_each_source_stands(ingested: Ingested) -> None:
    with ingested.database.connection() as connection:
        connection.execute("update sources set error = 'It is down.'")
    listing = ingested.project.run(ingested.instance, "list_sources")
    (event,) = listing.asset_materializations_for_node("video_catalog")
    (row,) = event.metadata["sources"].records  # type: ignore[union-attr]
    assert row.data == {
        "source": "demo", "found": 1, "done": 1, "failed": 0, "waits": 0, "blocked": 0, "error": "It is down.",
    }  # fmt: skip
    assert (metadata(listing, "video_catalog")["found"], metadata(listing, "video_catalog")["done"]) == (1, 1)
