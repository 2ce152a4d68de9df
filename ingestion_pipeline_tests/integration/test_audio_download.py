"""Downloads from a real web server on loopback, through the real yt-dlp."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from ingestion_pipeline.audio import fetch_audio, unchanged
from ingestion_pipeline.audio.ytdlp import DIRECT, Access
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import (
    Breaker,
    DiskFull,
    EnvironmentFault,
    IngestionError,
    Permanent,
    PrivateAddress,
    Transient,
)
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline_tests.support.web import Page, Site, serving

OPUS = EPISODES[0].read_bytes()
SHA256 = hashlib.sha256(OPUS).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def episode(url: str, key: str = "pod-1", **more: str) -> Video:
    return replace(Video(key, "pod", "feed", "1", url, url, "An episode"), **more)


def fetch(
    video: Video,
    folder: Path,
    *,
    max_bytes: int = 10_000_000,
    allow_private: bool = True,
    access: Access = DIRECT,
    progress: Callable[[str], None] = lambda _: None,
) -> Audio:
    return fetch_audio(
        video, folder, max_bytes=max_bytes, allow_private=allow_private, access=access, progress=progress
    )


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(site_url: str, folder: Path, kind: type[IngestionError], **more: int) -> IngestionError:
    """Fetch, expect an error of just this kind that names the video and a remedy, and nothing half-written."""
    with pytest.raises(IngestionError) as caught:
        fetch(episode(site_url), folder, **more)
    assert type(caught.value) is kind, caught.value
    assert "pod-1" in caught.value.what
    assert caught.value.remedy
    assert [name for name in left_in(folder) if not name.startswith(".partial/")] == []
    if not isinstance(caught.value, Transient | Breaker):
        assert left_in(folder) == []
    return caught.value


def parts_in(folder: Path) -> list[str]:
    """Return the names of the folders of downloads that were begun."""
    return [path.name for path in (folder / ".partial").iterdir()]


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


def test_a_connection_that_always_breaks_is_tried_again_later_and_leaves_nothing_in_place(tmp_path: Path) -> None:
    headers = f"HTTP/1.0 200 OK\r\nContent-Type: audio/ogg\r\nContent-Length: {len(OPUS)}\r\n\r\n"
    with raw_server(headers.encode() + OPUS[:50_000]) as url:
        refused(url, tmp_path, Transient)
    assert parts_in(tmp_path) == ["pod-1"]


class raw_server(closing[socket.socket]):  # noqa: N801 - a context manager
    """Answer every connection with the same bytes, and close it."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.server = answer, socket.create_server(("127.0.0.1", 0))
        super().__init__(self.server)

    def __enter__(self) -> str:  # type: ignore[override]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.getsockname()[1]}/1.opus"

    def __exit__(self, *error: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        super().__exit__(*error)

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                client.recv(65_536)
                try:
                    client.sendall(self.answer)
                except ConnectionError:
                    continue


def test_private_addresses_are_refused_unless_they_are_allowed(site: Site, tmp_path: Path) -> None:
    url = site.add("/1.opus", OPUS, "audio/ogg")
    with pytest.raises(PrivateAddress, match=r"pod-1: .*127\.0\.0\.1.*ALLOW_PRIVATE_ADDRESSES"):
        fetch(episode(url), tmp_path, allow_private=False)
    assert site.requests == []
    assert left_in(tmp_path) == []
    assert fetch(episode(url), tmp_path).sha256 == SHA256


def test_a_redirect_into_the_own_network_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server is reachable because it is the proxy; what it answers leads to the second, which is not."""
    with serving() as inner:
        target = inner.add("/1.opus", OPUS, "audio/ogg")
        monkeypatch.setenv("http_proxy", site.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        site.pages["http://example.org/1.opus"] = site.pages["/1.opus"] = _redirect(target)
        with pytest.raises(PrivateAddress, match=r"127\.0\.0\.1"):
            fetch(episode("http://example.org/1.opus"), tmp_path, allow_private=False)
        assert inner.requests == []
    assert site.requests != []


COOKIES = "# Netscape HTTP Cookie File\n{host}\tFALSE\t/\tFALSE\t4000000000\tsession\tsecret\n"


def test_cookies_are_sent_and_their_file_is_never_written_to(site: Site, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(COOKIES.format(host="127.0.0.1"))
    cookies.chmod(0o400)
    url = site.add("/1.opus", OPUS, "audio/ogg", headers={"Set-Cookie": "other=1; Max-Age=1000"})
    fetch(episode(url), tmp_path / "audio", access=Access(cookies))
    assert "session=secret" in site.headers[0]["Cookie"]
    assert cookies.read_text() == COOKIES.format(host="127.0.0.1")
    assert left_in(tmp_path) == ["audio/pod-1.opus", "cookies.txt"]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b'[{"name": 1}]', "Netscape"), (b"\xff", "no text")]
)
def test_a_bad_cookie_file_is_called_so(site: Site, tmp_path: Path, content: bytes | None, words: str) -> None:
    cookies = tmp_path / "cookies.txt"
    if content is not None:
        cookies.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=f"{words}.*COOKIES_FILE"):
        fetch(episode(site.add("/1.opus", OPUS)), tmp_path / "audio", access=Access(cookies))
    assert site.requests == []


def test_a_proxy_of_the_own_network_is_used_while_links_into_it_are_refused(site: Site, tmp_path: Path) -> None:
    site.pages["http://example.org/1.opus"] = Page(OPUS, "audio/ogg")
    access = Access(proxy=site.url)
    audio = fetch(episode("http://example.org/1.opus"), tmp_path, allow_private=False, access=access)
    assert audio.sha256 == SHA256
    with serving() as inner, pytest.raises(PrivateAddress):
        fetch(episode(inner.add("/1.opus", OPUS)), tmp_path, allow_private=False, access=DIRECT)


def _redirect(target: str) -> Page:
    return Page(b"", "text/plain", 302, {"Location": target})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.mp3", "data:audio/ogg,abc", "a.mp3", ""])
def test_only_web_links_are_followed(tmp_path: Path, url: str) -> None:
    with pytest.raises(Permanent, match="is not an http or https link"):
        fetch(episode(url), tmp_path)


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
