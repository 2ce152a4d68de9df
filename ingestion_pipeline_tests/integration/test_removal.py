"""A video that is removed: rows, audio and partition go together, and no listing brings it back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion_pipeline.discovery import add, discover
from ingestion_pipeline.errors import VideoBusy, VideoUnknown
from ingestion_pipeline.politeness import Web
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.removal import remove
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.daemon import finish, note_failure
from ingestion_pipeline_tests.support.examples import transcript, video
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_channel, use_video_site
from ingestion_pipeline_tests.support.web import Site

TABLES = ("videos", "audio", "transcripts", "segments", "embedded_videos", "failures")


class Library:
    """Videos with all that is made of them, and their partitions."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.partitions: list[str] = []

    def ingested(self, number: int, file: Path | None = None, **changes: object) -> Video:
        """Add a video whose audio lies in the folder, or elsewhere."""
        one = video(number, **changes)
        path = file or self.folder / f"{one.key}.opus"
        path.write_bytes(b"sound")
        with self.database.writing() as connection:
            catalogue.save_videos(connection, [one])
            transcripts.save_audio(connection, one.key, Audio(path, "0" * 64, 5, 1.0, "opus", 48000, 1))
            transcripts.save_transcript(connection, one.key, transcript("One."))
        finish(self.database, one.key)
        note_failure(self.database, one.key, None)
        self.partitions.append(one.key)
        return one

    def remove(self, key: str) -> None:
        remove(self.database, key, self.folder, self.drop)

    def drop(self, key: str) -> None:
        if key in self.partitions:
            self.partitions.remove(key)

    def rows(self) -> dict[str, int]:
        with self.database.connection() as connection:
            counts = {table: connection.execute(f"select count(*) from {table}").fetchone() for table in TABLES}  # type: ignore[arg-type]
        return {table: count[0] for table, count in counts.items() if count}

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def library(database: Database, tmp_path: Path) -> Library:
    folder = tmp_path / "audio"
    folder.mkdir()
    return Library(database, folder)


def test_rows_audio_and_partition_go_together_and_other_videos_stay(library: Library) -> None:
    gone, stays = library.ingested(1), library.ingested(2)
    partial = library.folder / ".partial" / gone.key
    partial.mkdir(parents=True)
    (partial / "half.part").write_bytes(b"so")
    library.remove(gone.key)
    assert library.rows() == dict.fromkeys(TABLES, 1)
    assert library.files() == [f"{stays.key}.opus"]
    assert library.partitions == [stays.key]


def test_a_local_folders_own_file_stays(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "talk.opus"
    one = library.ingested(1, file, extractor="folder")
    library.remove(one.key)
    assert library.rows() == dict.fromkeys(TABLES, 0)
    assert file.exists()


def test_a_video_that_a_run_works_on_is_left_alone(library: Library) -> None:
    one = library.ingested(1)
    with library.database.only_run_of(one.key), pytest.raises(VideoBusy, match=f"A run works on video {one.key}"):
        library.remove(one.key)
    assert library.rows()["videos"] == 1
    library.remove(one.key)
    assert library.rows()["videos"] == 0


def test_a_video_that_never_was_is_named(library: Library) -> None:
    with pytest.raises(VideoUnknown, match="nothing is not in the catalogue"):
        library.remove("nothing")


def killed(_key: str) -> None:
    raise KeyboardInterrupt


def test_what_was_killed_in_the_midst_is_completed_by_another_call(library: Library) -> None:
    one = library.ingested(1)
    with pytest.raises(KeyboardInterrupt):
        remove(library.database, one.key, library.folder, killed)
    assert library.partitions == [one.key]
    library.remove(one.key)
    assert (library.partitions, library.files()) == ([], [])


@pytest.fixture
def listed(database: Database, site: Site) -> Callable[[], list[str]]:
    """Return a function that lists a channel and returns the ids of what is new."""
    use_video_site()
    channel = add_channel(site, "c", {"Videos": [SiteVideo("one", timestamp=2), SiteVideo("two", timestamp=1)]})
    source = Source(name="c", url=channel)

    def new() -> list[str]:
        return [found.source_id for found in discover(database, [source], Web(allow_private=True), log=print).new]

    return new


def test_no_listing_brings_it_back(library: Library, listed: Callable[[], list[str]]) -> None:
    assert listed() == ["one", "two"]
    with library.database.connection() as connection:
        newest, _ = catalogue.videos_to_do(connection, "any")
    library.remove(newest)
    assert listed() == []
    assert library.rows()["videos"] == 1


def test_adding_it_brings_it_back(library: Library, listed: Callable[[], list[str]], site: Site) -> None:
    listed()
    with library.database.connection() as connection:
        keys = catalogue.all_keys(connection)
    for key in keys:
        library.remove(key)
    found = add(library.database, [f"{site.url}/testsite/channel/c"], Web(allow_private=True), log=print)
    assert [one.source_id for one in found.new] == ["one", "two"]
    assert {one.key for one in found.new} == set(keys)
    assert {one.source for one in found.new} == {"added"}
    assert listed() == []
