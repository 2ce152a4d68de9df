"""The steps of a video with the real thing at every boundary: loopback HTTP, yt-dlp, demo-en, MiniLM, PostgreSQL."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.audio.download import fetch_audio
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder
from ingestion_pipeline.errors import ModelFault, Permanent, VideoUnknown
from ingestion_pipeline.moments import find_moments, link_to
from ingestion_pipeline.pipeline import Log
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.speech.recogniser import InProcessWhisper, WhisperConfig
from ingestion_pipeline.speech.waveform import RATE
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import WordEmbedder, transcript, video
from ingestion_pipeline_tests.support.recordings import episode as episode_samples
from ingestion_pipeline_tests.support.recordings import write_audio
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_video, use_video_site
from ingestion_pipeline_tests.support.web import Site

EPISODE = next(file for file in EPISODES if file.stem == "the-night-train")
ABOUT = json.loads(EPISODE.with_suffix(".json").read_text())
DEMO = InProcessWhisper(WhisperConfig("demo-en", "cpu", "int8"))
MINI = InProcessEmbedder(MINILM)


class Downloader:
    """The real download into a folder, as the Dagster resource calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, video: Video, log: Log) -> Audio:
        return fetch_audio(video, self.folder, max_bytes=10_000_000, allow_private=True, progress=log)


@pytest.fixture
def episode(database: Database, site: Site) -> Video:
    url = site.add("/train.opus", EPISODE.read_bytes(), "audio/ogg")
    episode = video(1, media_url=url, title=ABOUT["title"])
    with database.writing() as connection:
        catalogue.save_videos(connection, [episode])
    return episode


def test_an_episode_goes_through_all_steps_and_its_moment_is_found(
    database: Database, episode: Video, tmp_path: Path
) -> None:
    lines: list[str] = []
    fetched = pipeline.fetch(database, episode.key, Downloader(tmp_path), log=lines.append)
    transcribed = pipeline.transcribe(database, episode.key, DEMO, 1, log=lines.append)
    embedded = pipeline.embed(database, episode.key, MINI, log=lines.append)
    assert (fetched.changed, transcribed.changed, embedded.written) == (True, True, embedded.passages)
    assert (fetched.audio.codec, embedded.dimensions) == ("opus", 384)
    assert transcribed.transcript.duration_s == pytest.approx(ABOUT["duration_s"], abs=0.2)
    hit = find_moments(database, MINI, "when does the train depart", 3)[0]
    spoken = next(said for said in ABOUT["spoken"] if "leaves the city at ten" in said["text"])
    assert hit.sentence.start == pytest.approx(spoken["start"], abs=2)
    assert hit.link == f"{episode.media_url}#t={int(hit.sentence.start)}"


def test_what_is_unchanged_is_not_done_again(database: Database, episode: Video, tmp_path: Path, site: Site) -> None:
    for changed in (True, False):
        assert pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print).changed is changed
        assert pipeline.transcribe(database, episode.key, DEMO, 1, log=print).changed is changed
        assert bool(pipeline.embed(database, episode.key, MINI, log=print).written) is changed
    assert len([path for _, path, _ in site.requests if path == "/train.opus"]) <= 2


def test_force_does_it_again(database: Database, episode: Video, tmp_path: Path) -> None:
    for force in (False, True):
        assert pipeline.fetch(database, episode.key, Downloader(tmp_path), force=force, log=print).changed
        assert pipeline.transcribe(database, episode.key, DEMO, 1, force=force, log=print).changed
        assert pipeline.embed(database, episode.key, MINI, force=force, log=print).written


def test_what_comes_in_another_container_takes_the_place_of_the_first(
    database: Database, site: Site, tmp_path: Path
) -> None:
    sound, kept = episode_samples()[: 5 * RATE], []
    for name, codec in (("one.flac", "flac"), ("two.wav", "pcm_s16le")):
        link = site.add(f"/{name}", write_audio(tmp_path / name, sound, codec=codec).read_bytes())
        with database.writing() as connection:
            catalogue.save_videos(connection, [video(1, media_url=link)])
        kept.append(pipeline.fetch(database, video(1).key, Downloader(tmp_path / "audio"), force=True, log=print).audio)
    assert [audio.path.exists() for audio in kept] == [False, True]


def test_audio_that_was_removed_is_fetched_again(database: Database, episode: Video, tmp_path: Path) -> None:
    audio = pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print).audio
    audio.path.unlink()
    assert pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print).changed


def test_a_transcript_without_its_audio_counts_as_done(database: Database, episode: Video, tmp_path: Path) -> None:
    audio = pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print).audio
    pipeline.transcribe(database, episode.key, DEMO, 1, log=print)
    audio.path.unlink()
    assert not pipeline.transcribe(database, episode.key, DEMO, 1, log=print).changed
    with pytest.raises(Permanent, match="Materialize its raw_audio with force"):
        pipeline.transcribe(database, episode.key, DEMO, 1, force=True, log=print)


def test_only_passages_with_a_new_text_are_embedded(database: Database, episode: Video) -> None:
    embedder = WordEmbedder()
    texts = [f"Sentence {number}." for number in range(14)]
    for last, written in (("The end.", 2), ("Another end.", 1)):
        save(database, episode, *texts, last)
        assert pipeline.embed(database, episode.key, embedder, log=print).written == written


def test_a_second_model_embeds_all_and_the_first_has_nothing_left_to_do(database: Database, episode: Video) -> None:
    save(database, episode, *(f"Sentence {number}." for number in range(14)))
    first, second = WordEmbedder("first"), WordEmbedder("second")
    for embedder, written in ((first, 2), (second, 2), (first, 0), (second, 0)):
        embedder.embedded.clear()
        assert pipeline.embed(database, episode.key, embedder, log=print).written == written
        assert len(embedder.embedded) == written
    for embedder in (first, second):
        assert to_do(database, embedder) == []
        assert find_moments(database, embedder, "Sentence 3.")[0].sentence.text == "Sentence 3."


def test_a_new_text_is_to_be_embedded_by_each_model(database: Database, episode: Video) -> None:
    texts = [f"Sentence {number}." for number in range(14)]
    first, second = WordEmbedder("first"), WordEmbedder("second")
    save(database, episode, *texts)
    for embedder in (first, second):
        pipeline.embed(database, episode.key, embedder, log=print)
    save(database, episode, *texts[:-1], "The end.")
    assert to_do(database, first) == to_do(database, second) == [episode.key]
    assert pipeline.embed(database, episode.key, first, log=print).written == 1
    assert (to_do(database, first), to_do(database, second)) == ([], [episode.key])
    assert pipeline.embed(database, episode.key, second, log=print).written == 1
    assert to_do(database, second) == []


def test_a_search_finds_a_new_text_at_once_while_another_model_is_wanted(database: Database, episode: Video) -> None:
    save(database, episode, "One.")
    pipeline.embed(database, episode.key, WordEmbedder("first"), log=print)
    save(database, episode, "Two.")
    lines: list[str] = []
    pipeline.embed_for_search(database, episode.key, WordEmbedder("second"), log=lines.append)
    assert lines[0] == "a search still asks first"
    assert find_moments(database, WordEmbedder("second"), "Two.", 1)[0].sentence.text == "Two."
    assert to_do(database, WordEmbedder("first")) == to_do(database, WordEmbedder("second")) == []


def test_a_first_model_that_comes_back_after_a_new_text_embeds_it(database: Database, episode: Video) -> None:
    first, second = WordEmbedder("first"), WordEmbedder("second")
    for text, embedder in (("One.", first), ("Two.", second), ("One.", second)):
        save(database, episode, text)
        pipeline.embed(database, episode.key, embedder, log=print)
    assert to_do(database, first) == [episode.key]
    assert find_moments(database, first, "One.", 1)[0].sentence.text == "One."


def save(database: Database, video: Video, *texts: str) -> None:
    with database.writing() as connection:
        transcripts.save_transcript(connection, video.key, transcript(*texts, fingerprint=" ".join(texts)))


def to_do(database: Database, embedder: WordEmbedder) -> list[str]:
    with database.connection() as connection:
        return catalogue.videos_to_do(connection, embedder.model)


def test_steps_out_of_order_say_what_is_missing(database: Database, episode: Video) -> None:
    with pytest.raises(Permanent, match=f"audio of video {episode.key} is not there"):
        pipeline.transcribe(database, episode.key, DEMO, 1, log=print)
    with pytest.raises(Permanent, match="has no transcript"):
        pipeline.embed(database, episode.key, MINI, log=print)
    with pytest.raises(VideoUnknown, match="nothing is not in the catalogue"):
        pipeline.fetch(database, "nothing", Downloader(Path()), log=print)


def test_another_language_than_the_models_is_refused(database: Database, episode: Video, tmp_path: Path) -> None:
    with database.writing() as connection:
        connection.execute("update videos set language = 'de'")
    pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print)
    with pytest.raises(Permanent, match=r"knows only English\. Set WHISPER_MODEL=large-v3-turbo"):
        pipeline.transcribe(database, episode.key, DEMO, 1, log=print)


@pytest.fixture
def in_a_language(database: Database, site: Site) -> Callable[[str | None, str | None], str]:
    """Return a function that adds a video with these languages of its catalogue entry and of its track."""
    use_video_site()

    def add(listed: str | None, track: str | None) -> str:
        url = add_video(site, SiteVideo("train", language=track), EPISODE.read_bytes())
        one = video(2, media_url=url, language=listed)
        with database.writing() as connection:
            catalogue.save_videos(connection, [one])
        return one.key

    return add


@pytest.mark.parametrize(("listed", "track", "spoken"), [(None, "de-AT", "de"), ("fr", "en", "fr")])
def test_the_language_of_the_track_counts_where_the_catalogue_says_none(
    database: Database,
    tmp_path: Path,
    in_a_language: Callable[[str | None, str | None], str],
    listed: str | None,
    track: str,
    spoken: str,
) -> None:
    key = in_a_language(listed, track)
    pipeline.fetch(database, key, Downloader(tmp_path), log=print)
    with pytest.raises(Permanent, match=f"Video {key} is in '{spoken}', and the model demo-en knows only English"):
        pipeline.transcribe(database, key, DEMO, 1, log=print)


def test_a_track_in_a_language_that_whisper_does_not_know_is_transcribed(
    database: Database, tmp_path: Path, in_a_language: Callable[[str | None, str | None], str]
) -> None:
    key = in_a_language(None, "tlh")
    pipeline.fetch(database, key, Downloader(tmp_path), log=print)
    assert pipeline.transcribe(database, key, DEMO, 1, log=print).transcript.language == "en"


def test_a_model_that_is_not_there_is_named(database: Database, episode: Video, tmp_path: Path) -> None:
    pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print)
    absent = InProcessWhisper(WhisperConfig("no-such-model", "cpu"))
    with pytest.raises(ModelFault, match="Whisper model no-such-model cannot be loaded"):
        pipeline.transcribe(database, episode.key, absent, 1, log=print)
    with pytest.raises(ModelFault, match="Embedding model /no/such cannot be loaded"):
        InProcessEmbedder("/no/such").query("anything")


def test_audio_cut_in_the_middle_gives_the_first_half(
    database: Database, episode: Video, tmp_path: Path, site: Site
) -> None:
    site.add("/train.opus", EPISODE.read_bytes()[: EPISODE.stat().st_size // 2], "audio/ogg")
    pipeline.fetch(database, episode.key, Downloader(tmp_path), log=print)
    text = pipeline.transcribe(database, episode.key, DEMO, 1, log=print).transcript.text
    assert "night train" in text
    assert len(text) < len(" ".join(said["text"] for said in ABOUT["spoken"])) * 0.6


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({"extractor": "Youtube", "source_id": "jNQXAC9IVRw"}, "https://youtu.be/jNQXAC9IVRw?t=83"),
        ({}, "https://example.org/one.opus#t=83"),
        ({"extractor": "folder", "page_url": "file:///talks/a%20b.mp3"}, "file:///talks/a%20b.mp3#t=83"),
    ],
)
def test_links_open_at_the_second(changes: dict[str, str], link: str) -> None:
    assert link_to(video(1, **changes), 83.9) == link
