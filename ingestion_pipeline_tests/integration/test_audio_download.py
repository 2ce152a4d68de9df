"""Downloads from a real web server on loopback, through the real yt-dlp: what is taken, and what is refused."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from ingestion_pipeline.audio import unchanged
from ingestion_pipeline.errors import Breaker, DiskFull, EnvironmentFault, IngestionError, Permanent, Transient
from ingestion_pipeline.records import Video
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


def test_an_episode_is_downloaded_as_it_is(site: Site, tmp_path: Path) -> None:
    lines: list[str] = []
    audio = fetch(episode(site.add("/1.opus", OPUS, "audio/ogg")), tmp_path, progress=lines.append)
    assert audio.path == tmp_path / "pod-1.opus"
    assert audio.path.read_bytes() == OPUS
    assert (audio.sha256, audio.size) == (SHA256, len(OPUS))
    assert (audio.codec, audio.sample_rate, audio.channels) == ("opus", 48_000, 1)
    assert 40 < audio.duration_s < 60
    assert unchanged(audio)
    assert left_in(tmp_path) == ["pod-1.opus"]
    assert re.fullmatch(r"0\.1 MB downloaded in \d+ s", lines[-1])


@pytest.mark.parametrize("path", ["/play.php?id=1", "/1", "/1.exe", "/1.mp3", "/%F0%9F%90%9D%20'a'.opus"])
@pytest.mark.parametrize("content_type", ["audio/mpeg", "application/octet-stream", "video/mp4"])
def test_name_and_type_in_the_link_do_not_matter(site: Site, tmp_path: Path, path: str, content_type: str) -> None:
    site.add(path.partition("?")[0], OPUS, content_type)
    audio = fetch(episode(site.url + path), tmp_path)
    assert audio.path.name == "pod-1.opus"
    assert audio.sha256 == SHA256


@pytest.mark.parametrize(
    "title", ["He said \"no\" & 'yes'", "🐝 Bees 🐝", "x" * 10_000, "../../etc/passwd", "%(id)s", ""]
)
def test_any_title_will_do(site: Site, tmp_path: Path, title: str) -> None:
    audio = fetch(episode(site.add("/1.opus", OPUS, "audio/ogg"), title=title), tmp_path)
    assert left_in(tmp_path) == [audio.path.name]


@pytest.mark.parametrize("name", ["100%(id)s", "$HOME", "~", "a b", "ü🐝"])
def test_any_folder_will_do(site: Site, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    audio = fetch(episode(site.add("/1.opus", OPUS, "audio/ogg")), folder)
    assert audio.path == folder / "pod-1.opus"
    assert left_in(tmp_path) == [f"{name}/pod-1.opus"]


@pytest.mark.parametrize("key", ["../up", "a/b", ".hidden", "..", ""])
def test_a_key_that_is_no_file_name_is_refused(site: Site, tmp_path: Path, key: str) -> None:
    with pytest.raises(Permanent, match="cannot be the name of a file"):
        fetch(episode(site.add("/1.opus", OPUS), key=key), tmp_path)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Permanent), (410, Permanent), (403, Transient), (500, Transient), (503, Transient), (429, Breaker)],
)
def test_the_status_decides_on_the_kind(site: Site, tmp_path: Path, status: int, kind: type[IngestionError]) -> None:
    error = refused(site.add("/1.opus", b"", "text/plain", status=status), tmp_path, kind)
    assert f"HTTP Error {status}" in error.what
    assert parts_in(tmp_path) == []


def test_a_server_that_is_not_there_is_tried_again_later(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    refused(f"http://127.0.0.1:{port}/1.opus", tmp_path, Transient)
    assert parts_in(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "content_type", "kind", "words"),
    [
        (b"", "audio/ogg", Transient, "Did not get any data"),
        (b"<!doctype html><html><body>Buy it</body></html>", "text/html", Permanent, "leads to a web page"),
        (b"<!doctype html><html><body>Buy it</body></html>", "audio/mpeg", Permanent, "is an HTML page"),
        (b"gone\n" * 20, "audio/mpeg", Permanent, "is text"),
        (OPUS[:60], "audio/ogg", Permanent, "damaged"),
    ],
)
def test_what_is_not_audio_is_called_what_it_is(
    site: Site, tmp_path: Path, content: bytes, content_type: str, kind: type[IngestionError], words: str
) -> None:
    assert words in refused(site.add("/1.opus", content, content_type), tmp_path, kind).what


def test_a_video_without_sound_has_no_audio_track(site: Site, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    with av.open(str(silent), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        output.mux(stream.encode(None))
    url = site.add("/1.mp4", silent.read_bytes(), "video/mp4")
    assert "has no audio track" in refused(url, tmp_path / "audio", Permanent).what


def test_more_than_the_limit_is_refused_before_it_is_loaded(site: Site, tmp_path: Path) -> None:
    url = site.add("/1.opus", bytes(50_000_000), "audio/ogg")
    error = refused(url, tmp_path, Permanent, max_bytes=1_000_000)
    assert "larger than 1 MB" in error.what
    assert "MAX_AUDIO_MB" in error.remedy


def test_the_limit_holds_where_the_server_does_not_say_the_size(tmp_path: Path) -> None:
    with raw_server(b"HTTP/1.0 200 OK\r\nContent-Type: audio/ogg\r\n\r\n" + OPUS * 20) as url:
        assert "larger than 1 MB" in refused(url, tmp_path, Permanent, max_bytes=1_000_000).what


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_called_so(site: Site, small_disk: Path) -> None:
    url = site.add("/1.opus", OPUS * 5, "audio/ogg")
    with pytest.raises(DiskFull, match=re.escape(str(small_disk))):
        fetch(episode(url), small_disk)
    assert left_in(small_disk) == []
    assert shutil.disk_usage(small_disk).used == 0


def test_a_folder_that_cannot_be_made_is_called_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="cannot be written to"):
        fetch(episode(site.add("/1.opus", OPUS)), tmp_path / "file" / "audio")


def local(path: Path) -> Video:
    return Video("pod-1", "own", "folder", "1", str(path), str(path), "Own", language="en")


def test_a_local_file_is_used_in_place(tmp_path: Path) -> None:
    path = tmp_path / "own.opus"
    path.write_bytes(OPUS)
    audio = fetch(local(path), tmp_path / "audio")
    assert (audio.path, audio.sha256, audio.language) == (path, SHA256, "en")
    assert left_in(tmp_path) == ["own.opus"]


@pytest.mark.parametrize(("content", "words"), [(None, "there is no file"), (b"", "is empty"), (b"text", "is text")])
def test_a_local_file_that_is_not_audio(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "own.opus"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Permanent, match=f"pod-1.*{words}"):
        fetch(local(path), tmp_path)
