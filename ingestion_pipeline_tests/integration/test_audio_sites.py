"""Downloads through a site's extractor, and of streams in segments."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from ingestion_pipeline.audio import fetch_audio
from ingestion_pipeline.audio.ytdlp import youtube_dl
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import (
    Breaker,
    Deferred,
    EnvironmentFault,
    IngestionError,
    NeedsAccess,
    Permanent,
)
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline_tests.support import video_site
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_channel, add_video
from ingestion_pipeline_tests.support.web import Site, serving

OPUS = EPISODES[0].read_bytes()


@pytest.fixture
def site() -> Iterator[Site]:
    video_site.use_video_site()
    with serving() as site:
        yield site


def fetch(url: str, folder: Path, *, allow_private: bool = True) -> Audio:
    video = Video("site-1", "site", "testsite", "1", url, url, "A video")
    return fetch_audio(video, folder, max_bytes=10_000_000, allow_private=allow_private, progress=lambda _: None)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_video_is_downloaded_and_its_language_kept(site: Site, tmp_path: Path) -> None:
    audio = fetch(add_video(site, SiteVideo("v1", language="de-CH"), OPUS), tmp_path)
    assert audio.path.read_bytes() == OPUS
    assert audio.language == "de"
    assert audio.published_at == datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    assert files_in(tmp_path) == ["site-1.opus"]


@pytest.mark.parametrize(
    ("video", "kind", "words"),
    [
        (video_site.removed("v1"), Permanent, "removed by the uploader"),
        (video_site.members_only("v1"), NeedsAccess, "members-only"),
        (video_site.bot_check("v1"), Breaker, "not a bot"),
        (video_site.upcoming("v1", 4_000_000_000), Deferred, "begin in 3 hours"),
        (video_site.live_now("v1"), Deferred, "is live now"),
        (SiteVideo("v1", live_status="post_live"), Deferred, "is being processed"),
    ],
)
def test_why_a_video_cannot_be_had(
    site: Site, tmp_path: Path, video: SiteVideo, kind: type[IngestionError], words: str
) -> None:
    with pytest.raises(IngestionError, match=f"site-1.*{words}") as caught:
        fetch(add_video(site, video, OPUS), tmp_path)
    assert type(caught.value) is kind
    assert files_in(tmp_path) == []


def test_an_upcoming_video_with_a_page_says_when_it_is_due(site: Site, tmp_path: Path) -> None:
    video = SiteVideo("v1", live_status="is_upcoming", release_timestamp=4_000_000_000)
    with pytest.raises(Deferred, match="due 2096-10-02 07:06 UTC"):
        fetch(add_video(site, video, OPUS), tmp_path)


def test_a_channel_is_not_one_recording(site: Site, tmp_path: Path) -> None:
    videos = [SiteVideo("v1"), SiteVideo("v2")]
    for video in videos:
        add_video(site, video, OPUS)
    with pytest.raises(Permanent, match="is a list of"):
        fetch(add_channel(site, "c", {"Videos": videos}), tmp_path)
    assert files_in(tmp_path) == []


def segments(folder: Path, count: int = 2) -> list[bytes]:
    """Make MPEG transport streams of a second of AAC each."""
    made = []
    for number in range(count):
        path = folder / f"{number}.ts"
        with av.open(str(path), "w", format="mpegts") as output:
            stream = output.add_stream("aac", rate=16_000)
            assert isinstance(stream, av.AudioStream)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, number * 16_000
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                output.mux(packet)
        made.append(path.read_bytes())
        path.unlink()
    return made


def add_stream(site: Site, parts: list[bytes], key: str = "") -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0", key]
    for number, part in enumerate(parts):
        lines += ["#EXTINF:1.0,", f"{number}.ts"]
        site.add(f"/{number}.ts", part, "video/mp2t")
    return site.add("/stream.m3u8", "\n".join([*filter(None, lines), "#EXT-X-ENDLIST"]), "application/x-mpegURL")


def test_a_stream_in_segments_is_put_together_without_ffmpeg(site: Site, tmp_path: Path) -> None:
    audio = fetch(add_stream(site, segments(tmp_path)), tmp_path)
    assert audio.path == tmp_path / "site-1.ts"
    assert audio.duration_s == pytest.approx(2, abs=0.3)
    assert files_in(tmp_path) == ["site-1.ts"]


def test_a_stream_that_lacks_a_segment_is_not_kept(site: Site, tmp_path: Path) -> None:
    url = add_stream(site, segments(tmp_path))
    del site.pages["/1.ts"]
    with pytest.raises(Permanent, match=r"site-1: .*404"):
        fetch(url, tmp_path)
    assert files_in(tmp_path) == []


def test_a_stream_that_only_ffmpeg_can_load_says_so(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It connects unseen, so it is not used while private addresses are refused; the site is the proxy here."""
    url = add_stream(site, segments(tmp_path), '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="http://example.org/key"')
    site.pages["http://example.org/stream.m3u8"] = site.pages[url.removeprefix(site.url)]
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", site.url)
    with pytest.raises(EnvironmentFault, match="Install ffmpeg"):
        fetch("http://example.org/stream.m3u8", tmp_path, allow_private=False)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("allow_private", [False, True])
def test_libcurl_which_connects_unseen_is_used_only_where_private_addresses_are_allowed(
    site: Site, allow_private: bool
) -> None:
    from yt_dlp.networking import Request
    from yt_dlp.networking.exceptions import RequestError
    from yt_dlp.networking.impersonate import ImpersonateTarget

    request = Request(site.add("/1", OPUS), extensions={"impersonate": ImpersonateTarget()})
    with youtube_dl({"quiet": True}, allow_private=allow_private) as ydl:
        if allow_private:
            assert ydl.urlopen(request).read() == OPUS
        else:
            with pytest.raises(RequestError, match="is not available"):
                ydl.urlopen(request)
