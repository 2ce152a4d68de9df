"""Audio that has served is deleted when AUDIO_RETENTION says so, and the video stays done."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import EnvironmentFault
from ingestion_pipeline.records import Audio, Transcript, Video
from ingestion_pipeline.retention import Swept, days_kept, sweep
from ingestion_pipeline.speech.recogniser import Recognition
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import WordEmbedder, transcript, video


class Recogniser:
    """Hears the same in everything, and counts how often it is asked."""

    def __init__(self, model: str = "a model") -> None:
        self.model, self.asked = model, 0

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        return f"{self.model} {audio.sha256} {language}"

    def transcribe(self, _video: str, audio: Audio, language: str | None, _log: Callable[[str], None]) -> Recognition:
        self.asked += 1
        heard = transcript("One.", "Two.", fingerprint=self.fingerprint(audio, language))
        return Recognition(heard, 1.0)


class Downloads:
    """Copies an episode into a folder, and counts how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.content = folder, 0, EPISODES[0].read_bytes()

    def __call__(self, one: Video, _log: Callable[[str], None]) -> Audio:
        self.asked += 1
        path = self.folder / f"{one.key}.opus"
        path.write_bytes(self.content)
        sha256 = str(len(self.content)).zfill(64)
        return Audio(path, sha256, len(self.content), 10.0, "opus", 48000, 1)


class Project:
    """One video and the steps that it goes through."""

    def __init__(self, database: Database, folder: Path, **changes: object) -> None:
        self.database, self.video = database, video(1, **changes)
        self.downloads, self.recogniser, self.embedder = Downloads(folder), Recogniser(), WordEmbedder()
        with database.writing() as connection:
            catalogue.save_videos(connection, [self.video])

    @property
    def file(self) -> Path:
        return self.downloads.folder / f"{self.video.key}.opus"

    def fetch(self, force: bool = False) -> pipeline.Fetched:
        return pipeline.fetch(self.database, self.video.key, self.downloads, force=force, log=print)

    def transcribe(self, force: bool = False) -> pipeline.Transcribed:
        return pipeline.transcribe(self.database, self.video.key, self.recogniser, None, force=force, log=print)

    def embed(self, force: bool = False) -> pipeline.Embedded:
        return pipeline.embed(self.database, self.video.key, self.embedder, force=force, log=print)

    def run(self, force: bool = False) -> Transcript:
        self.fetch(force)
        heard = self.transcribe(force).transcript
        self.embed(force)
        return heard

    def sweep(self, days: int = 0) -> Swept:
        return sweep(self.database, days, print)


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    return Project(database, tmp_path)


@pytest.mark.parametrize(("retention", "days"), [("keep", None), ("delete", 0), ("30", 30)])
def test_the_setting_is_a_number_of_days(retention: str, days: int | None) -> None:
    assert days_kept(retention) == days


def test_audio_is_deleted_once_it_is_transcribed(project: Project) -> None:
    project.fetch()
    assert project.sweep() == Swept()
    project.transcribe()
    assert project.sweep() == Swept(1, len(project.downloads.content))
    assert not project.file.exists()
    assert project.sweep() == Swept()


def test_audio_is_kept_for_as_many_days_as_wished(project: Project) -> None:
    project.run()
    assert project.sweep(days=30) == Swept()
    with project.database.connection() as connection:
        connection.execute("update audio set fetched_at = now() - interval '32 days'")
        connection.execute("update transcripts set created_at = now() - interval '31 days'")
    assert project.sweep(days=30).files == 1


def test_a_transcript_whose_audio_is_gone_is_done_and_can_be_embedded_again(project: Project) -> None:
    heard = project.run()
    project.sweep()
    assert project.run() == heard
    assert (project.downloads.asked, project.recogniser.asked) == (1, 1)
    project.embedder = WordEmbedder("other words")
    assert project.embed().written > 0
    assert project.fetch().changed is False


def test_another_model_does_not_download_what_was_deleted(project: Project) -> None:
    heard = project.run()
    project.sweep()
    project.recogniser = Recogniser("another model")
    assert project.run() == heard
    assert project.recogniser.asked == 0


def test_force_does_download_it_again(project: Project) -> None:
    project.run()
    project.sweep()
    project.recogniser = Recogniser("another model")
    assert project.run(force=True).fingerprint.startswith("another model")
    assert project.downloads.asked == 2


def test_new_audio_is_kept_until_it_is_transcribed(project: Project) -> None:
    project.run()
    project.downloads.content += b"more"
    project.fetch(force=True)
    assert project.sweep() == Swept()
    project.transcribe()
    assert project.sweep().files == 1


def test_the_same_audio_again_goes_at_the_next_sweep(project: Project) -> None:
    project.run()
    project.fetch(force=True)
    project.transcribe()
    assert project.sweep().files == 1


def test_a_local_folders_own_file_is_never_deleted(database: Database, tmp_path: Path) -> None:
    project = Project(database, tmp_path, extractor="folder")
    project.run()
    assert project.sweep() == Swept()
    assert project.file.exists()


def test_what_a_run_works_on_is_left_for_next_time(project: Project) -> None:
    project.run()
    with project.database.only_run_of(project.video.key):
        assert project.sweep() == Swept()
    assert project.sweep().files == 1


def test_a_file_that_cannot_be_deleted_does_not_keep_the_others(project: Project) -> None:
    other = Project(project.database, project.downloads.folder / "other", key="feed-2", source_id="urn:2")
    other.downloads.folder.mkdir()
    for one in (project, other):
        one.run()
    project.file.unlink()
    project.file.mkdir()
    with pytest.raises(EnvironmentFault, match=f"1 audio files cannot be deleted: {project.file}: Is a directory"):
        project.sweep()
    assert not other.file.exists()


def test_audio_that_is_lost_before_it_is_transcribed_is_downloaded_again(project: Project) -> None:
    project.fetch()
    project.file.unlink()
    assert project.fetch().changed
    with project.database.connection() as connection:
        assert not transcripts.is_transcribed(connection, project.video.key)
