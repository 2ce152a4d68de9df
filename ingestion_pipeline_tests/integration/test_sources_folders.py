import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion_pipeline.errors import SourceFault
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.listing import Listing, list_source


def listed(folder: Path, **filters: object) -> Listing:
    source = Source(name="talks", folder=folder, **filters)  # type: ignore[arg-type]
    return list_source(source, on_warning=pytest.fail)


def add(path: Path, day: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    moment = datetime(2025, 7, day, tzinfo=UTC).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_media_files_of_a_folder_and_those_below_newest_first(tmp_path: Path) -> None:
    old = add(tmp_path / "Über “bees” #1.MP3")
    new = add(tmp_path / "2025" / "talk.webm", 2)
    for other in ("notes.txt", ".hidden.mp3", ".trash/a.mp3", "a.mp3.part"):
        add(tmp_path / other)
    first, second = listed(tmp_path, language="en").videos
    assert (first.media_url, first.published_at) == (str(new.resolve()), datetime(2025, 7, 2, tzinfo=UTC))
    assert (second.title, second.language, second.source_id) == ("Über “bees” #1", "en", str(old.resolve()))
    assert second.page_url == old.resolve().as_uri()
    assert second.key.startswith("folder-")


def test_two_names_of_one_file_are_one_video(tmp_path: Path) -> None:
    add(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").symlink_to(tmp_path / "a.mp3")
    assert len(listed(tmp_path).videos) == 1


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match=r"Source talks: folder .*/none cannot be read: No such file"):
        listed(tmp_path / "none")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="Not a directory"):
        listed(add(tmp_path / "a.mp3"))


def test_what_cannot_be_taken_is_a_fault_and_the_others_are_listed(tmp_path: Path) -> None:
    add(tmp_path / "good.mp3")
    (tmp_path / "dangling.mp3").symlink_to(tmp_path / "gone.mp3")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin-\xe4.mp3")).write_bytes(b"sound")
    listing = listed(tmp_path)
    assert [video.title for video in listing.videos] == ["good"]
    assert sorted(fault.kind for fault in listing.faults) == ["permanent", "permanent"]
    assert all(str(fault).encode() for fault in listing.faults)
