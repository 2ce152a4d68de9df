"""A site of channels and videos on the loopback server, which yt-dlp reads with the extractor in `yt_dlp_plugins`.

In this process call `use_video_site()`; for a child process put `plugin_folder()` on its PYTHONPATH.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ingestion_pipeline_tests.support.web import Site

REMOVED = "Video unavailable. This video has been removed by the uploader"
BOT_CHECK = "Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication"
MEMBERS_ONLY = "Join this channel to get access to members-only content like this video, and other exclusive perks."
UPCOMING = "This live event will begin in 3 hours."


@dataclass(frozen=True)
class SiteVideo:
    """A video as the site shows it; `refusal` is why it cannot be played."""

    id: str
    title: str = "A video"
    duration: float | None = 90.0
    timestamp: int | None = 1_750_000_000
    live_status: str | None = None
    release_timestamp: int | None = None
    availability: str | None = "public"
    language: str | None = None
    refusal: str | None = None
    short: bool = False
    captions: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the site shows it."""
        return f"/testsite/{'shorts' if self.short else 'watch'}/{self.id}"


def members_only(video_id: str) -> SiteVideo:
    return SiteVideo(video_id, availability="subscriber_only", refusal=MEMBERS_ONLY)


def removed(video_id: str) -> SiteVideo:
    return SiteVideo(video_id, refusal=REMOVED)


def bot_check(video_id: str) -> SiteVideo:
    return SiteVideo(video_id, refusal=BOT_CHECK)


def live_now(video_id: str) -> SiteVideo:
    return SiteVideo(video_id, duration=None, live_status="is_live")


def upcoming(video_id: str, release_timestamp: int) -> SiteVideo:
    return SiteVideo(
        video_id,
        duration=None,
        timestamp=None,
        live_status="is_upcoming",
        release_timestamp=release_timestamp,
        refusal=UPCOMING,
    )


def add_video(site: Site, video: SiteVideo, audio: bytes = b"", suffix: str = "opus", acodec: str = "opus") -> str:
    """Serve the video's page, its captions and, unless it is refused, `audio` as its only track; return its URL."""
    page = _known(video) | {"refusal": video.refusal, "channel": "A channel", "subtitles": {}}
    for language, text in video.captions.items():
        captions = site.add(f"/testsite/captions/{video.id}.{language}.vtt", text, "text/vtt")
        page["subtitles"][language] = [{"url": captions, "ext": "vtt"}]
    if video.refusal is None:
        media = site.add(f"/testsite/media/{video.id}.{suffix}", audio, f"audio/{suffix}")
        track = {"format_id": "audio", "url": media, "ext": suffix, "acodec": acodec, "vcodec": "none"}
        page["formats"] = [{**track, "language": video.language}]
    return site.add(video.path, json.dumps(page), "application/json")


def add_channel(
    site: Site, name: str, tabs: dict[str, Sequence[SiteVideo]], page_size: int = 30, channel_id: str | None = None
) -> str:
    """Serve a channel of tabs, a page of `page_size` entries at a time, newest first; return its URL.

    With one tab it is a plain playlist. The videos' own pages are not added.
    """
    listed = [
        {"title": f"{name} - {tab}", "first": _pages(site, name, tab, videos, page_size)}
        for tab, videos in tabs.items()
    ]
    page = {"channel": f"Channel {name}", "channel_id": channel_id, "tabs": listed}
    return site.add(f"/testsite/channel/{name}", json.dumps(page), "application/json")


def plugin_folder() -> Path:
    """Return the folder to put on PYTHONPATH, so that yt-dlp finds the extractor."""
    return Path(__file__).parent


def use_video_site() -> None:
    """Make yt-dlp in this process know the site, also if it has loaded its plugins before."""
    from yt_dlp.plugins import load_all_plugins

    if str(plugin_folder()) not in sys.path:
        sys.path.append(str(plugin_folder()))
        importlib.invalidate_caches()
        load_all_plugins()


def _pages(site: Site, name: str, tab: str, videos: Sequence[SiteVideo], page_size: int) -> str:
    starts = range(0, max(len(videos), 1), page_size)
    urls = [f"/testsite/list/{name}/{tab}/{start}" for start in starts]
    for start, url, after in zip(starts, urls, [*urls[1:], None], strict=True):
        entries = [_known(video) | {"url": site.url + video.path} for video in videos[start : start + page_size]]
        page = {"entries": entries, "next": after and site.url + after}
        site.add(url, json.dumps(page), "application/json")
    return site.url + urls[0]


def _known(video: SiteVideo) -> dict[str, object]:
    unlisted = {"refusal", "captions", "short"}
    return {name: value for name, value in asdict(video).items() if name not in unlisted and value is not None}
