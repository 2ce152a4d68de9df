"""Asset checks on the partitions of videos: sound ones pass, a warning stops nothing, an error keeps from embedding."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.records import Audio, Transcript
from ingestion_pipeline.speech.recogniser import InProcessWhisper, WhisperConfig
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.integration.test_assets import Project, metadata
from ingestion_pipeline_tests.support.examples import VIDEO, transcript

CHECKS = {
    "raw_audio": {"length"},
    "transcripts": {"speech_covered", "repetition", "words_per_second", "language", "timestamps", "left_out"},
    "segment_embeddings": {"count", "dimensions", "norm", "numbers"},
}
TALK = transcript(*(said["text"] for said in json.loads(EPISODES[0].with_suffix(".json").read_text())["spoken"]))
LOOP = transcript(*["Thank you very much for watching this."] * 20)


class Heard:
    """A project with a video whose audio and transcript are there, as its steps would have left them."""

    def __init__(self, database: Database, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.project = Project(database, folder, "http://127.0.0.1:9/feed.xml", newest=1)
        file = folder / "one.opus"
        file.write_bytes(b"sound")
        self.audio = Audio(file, "hash", file.stat().st_size, 60.0, "opus", 48000, 1, "en")
        with database.writing() as connection:
            catalogue.save_videos(connection, [VIDEO])
            transcripts.save_audio(connection, VIDEO.key, self.audio)
        instance.add_dynamic_partitions("videos", [VIDEO.key])
        self.hear(TALK)

    def hear(self, heard: Transcript) -> None:
        """Have the transcript say something, as though the model had heard it."""
        whisper = InProcessWhisper(WhisperConfig("demo-en", "cpu"))
        with self.database.writing() as connection:
            made_from = whisper.fingerprint(self.audio, VIDEO.language)
            transcripts.save_transcript(connection, VIDEO.key, replace(heard, fingerprint=made_from))

    def run(self) -> dg.ExecuteInProcessResult:
        return self.project.run(self.instance, "ingest_video", VIDEO.key)

    def observed(self, asset: str) -> list[str]:
        """Return the reasons that the partition's page of an asset shows."""
        about = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[VIDEO.key])
        records = self.instance.fetch_observations(about, limit=10).records
        return [str(record.asset_observation.metadata["reason"].value) for record in records]

    def embed_alone(self, *, force: bool = False) -> dg.ExecuteInProcessResult:
        job = self.project.repository.get_job("ingest_video")
        return job.execute_in_process(
            instance=self.instance,
            partition_key=VIDEO.key,
            asset_selection=[dg.AssetKey("segment_embeddings")],
            run_config={"ops": {"segment_embeddings": {"config": {"force": force}}}},
            raise_on_error=False,
        )


@pytest.fixture
def heard(database: Database, tmp_path: Path) -> Iterator[Heard]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Heard(database, tmp_path, instance)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {(one.asset_key.to_user_string(), one.check_name): one for one in found}


def failed(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckSeverity]:
    return {check: one.severity for (_, check), one in evaluations(result).items() if not one.passed}


def reason(result: dg.ExecuteInProcessResult) -> str:
    (step,) = [event for event in result.all_events if event.is_step_failure]
    assert step.step_key == "segment_embeddings"
    return str(step.step_failure_data.user_failure_data.description)


def test_a_sound_video_passes_all_checks_of_its_partition_each_time(heard: Heard) -> None:
    first = heard.run()
    found = evaluations(first)
    assert {asset: {check for of, check in found if of == asset} for asset in CHECKS} == CHECKS
    assert failed(first) == {}
    assert {one.partition for one in found.values()} == {VIDEO.key}
    assert found["transcripts", "words_per_second"].metadata["words"].value == len(TALK.text.split())
    assert metadata(first, "transcripts")["quality"] == "good"
    again = evaluations(heard.run())
    assert {check: one.metadata for check, one in again.items()} == {key: one.metadata for key, one in found.items()}


def test_an_error_keeps_from_embedding_and_says_so_on_both_partitions(heard: Heard) -> None:
    heard.hear(LOOP)
    result = heard.run()
    assert failed(result) == {"repetition": dg.AssetCheckSeverity.ERROR}
    assert str(metadata(result, "transcripts")["quality"]).startswith("not embedded. repetition: 100% of the words")
    assert f"The transcript of video {VIDEO.key} is not fit for a search" in reason(result)
    assert "segment_embeddings with force" in reason(result)
    shown = {asset: heard.observed(asset) for asset in CHECKS}
    assert {asset for asset, observed in shown.items() if observed} == {"transcripts", "segment_embeddings"}
    assert shown["transcripts"] == shown["segment_embeddings"]
    assert "repetition: 100%" in shown["transcripts"][0]


def test_the_block_holds_where_the_embeddings_are_made_alone_and_force_lifts_it(heard: Heard) -> None:
    heard.hear(LOOP)
    assert "repetition" in reason(heard.embed_alone())
    assert heard.embed_alone(force=True).success
    assert heard.embed_alone().success, "what a person took as it is is not refused again"


def test_a_warning_stops_nothing(heard: Heard) -> None:
    heard.hear(replace(TALK, left_out_s=TALK.speech_s / 2))
    result = heard.run()
    assert result.success
    assert failed(result) == {"left_out": dg.AssetCheckSeverity.WARN}
    assert str(metadata(result, "transcripts")["quality"]).startswith("warning. left_out: ")


def test_embeddings_that_are_missing_fail_a_check(heard: Heard) -> None:
    assert failed(heard.run()) == {}
    with heard.database.connection() as connection:
        connection.execute("delete from embeddings where idx = 0")
    assert failed(heard.run()) == {"count": dg.AssetCheckSeverity.ERROR}


def test_a_run_is_tagged_with_its_video(heard: Heard) -> None:
    run = heard.instance.get_run_by_id(heard.embed_alone().run_id)
    assert run
    shown = (run.tags["video/title"], run.tags["video/channel"], run.tags["source"])
    assert shown == (VIDEO.title, VIDEO.channel, VIDEO.source)


def test_the_preview_opens_the_video_where_a_sentence_is_said(heard: Heard) -> None:
    lines = str(metadata(heard.run(), "transcripts")["preview"]).splitlines()
    second = TALK.segments[1]
    assert lines[1] == f"- [0:05](<{VIDEO.media_url}#t=5>) {second.text}"
    assert lines[-1] == f"{len(TALK.segments)} segments: `ingest export {VIDEO.key} --format srt`"
    assert sum(len(line) + 1 for line in lines) <= 1000, "Dagster shows no more at once"


def test_the_catalogue_shows_how_each_source_stands(heard: Heard) -> None:
    assert heard.embed_alone().success
    with heard.database.connection() as connection:
        connection.execute("insert into sources (name, config_hash, error) values ('demo', '', 'It is down.')")
    listing = heard.project.run(heard.instance, "list_sources")
    shown = metadata(listing, "video_catalog")
    lines = str(shown["sources"]).splitlines()
    assert lines[0] == "| source | found | done | failed | waits | blocked |"
    assert lines[2:5] == ["| demo | 0 | 0 | 0 | 0 | 0 |", "| podcast | 1 | 1 | 0 | 0 | 0 |", ""]
    assert lines[5].startswith("- **demo**: ")
    assert (shown["found"], shown["done"]) == (1, 1)
