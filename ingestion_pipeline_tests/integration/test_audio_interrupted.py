"""Downloads that break off: nothing half-written is left in place, and the next call goes on."""

from pathlib import Path

import pytest

from ingestion_pipeline.errors import Permanent, Transient
from ingestion_pipeline_tests.support.downloads import (
    OPUS,
    SHA256,
    episode,
    fetch,
    left_in,
    parts_in,
    raw_server,
    refused,
)
from ingestion_pipeline_tests.support.web import Site


def test_a_connection_that_always_breaks_is_tried_again_later_and_leaves_nothing_in_place(tmp_path: Path) -> None:
    headers = f"HTTP/1.0 200 OK\r\nContent-Type: audio/ogg\r\nContent-Length: {len(OPUS)}\r\n\r\n"
    with raw_server(headers.encode() + OPUS[:50_000]) as url:
        refused(url, tmp_path, Transient)
    assert parts_in(tmp_path) == ["pod-1"]


def test_a_partial_download_is_continued(site: Site, tmp_path: Path) -> None:
    part = tmp_path / ".partial" / "pod-1" / "fogg.media.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(OPUS[:70_000])
    audio = fetch(episode(site.add("/1.opus", OPUS, "audio/ogg")), tmp_path)
    assert audio.sha256 == SHA256
    assert site.requests[-1][2] == 206
    assert left_in(tmp_path) == ["pod-1.opus"]


def test_a_connection_that_broke_is_continued(site: Site, tmp_path: Path) -> None:
    """The first call gets a part only; the second asks for the rest."""
    headers = f"HTTP/1.0 200 OK\r\nContent-Type: audio/ogg\r\nContent-Length: {len(OPUS)}\r\n\r\n"
    with raw_server(headers.encode() + OPUS[:50_000]) as url, pytest.raises(Transient):
        fetch(episode(url), tmp_path)
    assert fetch(episode(site.add("/1.opus", OPUS, "audio/ogg")), tmp_path).sha256 == SHA256
    assert site.requests[-1][2] == 206


def test_a_part_is_not_continued_by_the_rest_of_another_recording(site: Site, tmp_path: Path) -> None:
    headers = f"HTTP/1.0 200 OK\r\nContent-Type: audio/ogg\r\nContent-Length: {len(OPUS) + 999}\r\n\r\n"
    with raw_server(headers.encode() + bytes(50_000)) as url, pytest.raises(Transient):
        fetch(episode(url), tmp_path)
    video = episode(site.add("/1.opus", OPUS, "audio/ogg"))
    with pytest.raises(Transient, match="has changed"):
        fetch(video, tmp_path)
    assert fetch(video, tmp_path).sha256 == SHA256


def test_an_interruption_leaves_nothing_in_place_and_the_next_call_succeeds(site: Site, tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    video = episode(site.add("/1.opus", OPUS, "audio/ogg"))
    with pytest.raises(KeyboardInterrupt):
        fetch(video, tmp_path, progress=interrupt)
    assert all(name.startswith(".partial/") for name in left_in(tmp_path))
    assert fetch(video, tmp_path).sha256 == SHA256


def test_an_older_file_stands_until_the_new_one_is_whole(site: Site, tmp_path: Path) -> None:
    url = site.add("/1.opus", OPUS, "audio/ogg")
    fetch(episode(url), tmp_path)
    site.add("/1.opus", b"<html>", "audio/ogg")
    with pytest.raises(Permanent):
        fetch(episode(url), tmp_path)
    assert (tmp_path / "pod-1.opus").read_bytes() == OPUS
