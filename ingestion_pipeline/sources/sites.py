"""Lists a channel, playlist, video or any page that yt-dlp can read, without a request for each video."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ingestion_pipeline.audio.ytdlp import DIRECT, Access, published, youtube_dl
from ingestion_pipeline.errors import IngestionError, SourceFault
from ingestion_pipeline.languages import whisper_language
from ingestion_pipeline.records import Video

from .config import Source
from .entries import Listing, clean_title
from .filters import choose, is_wanted
from .keys import partition_key
from .ytdlp import fault, options

_LISTS = {"playlist", "compat_list"}
_LINKS = {"url", "url_transparent"}
_MAX_DEPTH = 4
_NAMED_BY_LINK = {None, "Generic", "HTML5MediaEmbed"}
_GONE = {"[Private video]", "[Deleted video]"}

Info = Mapping[str, Any]


def list_site(
    source: Source,
    url: str,
    *,
    most: int | None = None,
    on_warning: Callable[[str], None],
    allow_private: bool = False,
    access: Access = DIRECT,
) -> Listing:
    """List what the page at `url` holds, channel tabs included; raise `SourceFault` with yt-dlp's reason.

    With `newest` each tab or playlist is read only until it has given that many that pass the filters, with `most` only
    so many entries of it, whatever they are.
    """
    try:
        with youtube_dl(options(on_warning), allow_private=allow_private, access=access) as ydl:
            site = _Site(ydl, source, most)
            page = site.open({"url": url})
            return _listing(choose(site.videos(page), source), page)
    except IngestionError:
        raise
    except Exception as error:  # when a site changes, its extractor may fail in any way
        raise fault(source, error) from error


@dataclass(frozen=True)
class _Site:
    ydl: Any
    source: Source
    most: int | None

    def open(self, link: Info) -> Info:
        """Return what is at a link, a list or a video, with the entries of a list not yet asked for."""
        for _ in range(_MAX_DEPTH):
            page = self.ydl.extract_info(link["url"], download=False, process=False, ie_key=link.get("ie_key"))
            if page is None or page.get("_type", "video") not in _LINKS:
                return page or {"_type": "playlist"}
            link = page
        raise SourceFault(f"Source {self.source.name}: {self.source.url} leads from page to page.", "Correct it.")

    def videos(self, page: Info, parent: Info | None = None, depth: int = 0) -> Iterator[Video]:
        """Yield the videos that pass the filters, for each list at most `newest`."""
        if page.get("_type", "video") not in _LISTS:
            yield _video(self.source, page, parent or page)
            return
        found = 0
        for entry in islice(self._entries(page), self.most):
            if _is_list(entry):
                if depth < _MAX_DEPTH and not self._is_unwanted_tab(entry):
                    nested = self.open(entry) if entry.get("_type") in _LINKS else entry
                    yield from self.videos(nested, {**page, **nested}, depth + 1)
                continue
            video = _video(self.source, entry, parent or page)
            if is_wanted(video, self.source):
                found += 1
                yield video
            if found == self.source.newest:
                return

    def _entries(self, page: Info) -> Iterator[Info]:
        from yt_dlp.utils import PlaylistEntries

        if page.get("entries") is None:
            return
        for _, entry in PlaylistEntries(self.ydl, page).get_requested_items():
            if entry and entry.get("title") not in _GONE and entry.get("availability") != "private":
                yield entry

    def _is_unwanted_tab(self, page: Info) -> bool:
        return not self.source.shorts and (
            str(page.get("webpage_url") or page.get("url") or "").endswith("/shorts")
            or str(page.get("title") or "").endswith(" - Shorts")
        )


def _listing(videos: list[Video], page: Info) -> Listing:
    """Drop dates such as "2 years ago": good enough to choose and sort by, too rough to keep."""
    if page.get("_type", "video") not in _LISTS:
        return Listing(tuple(videos))
    rough = {video.key: video.published_at for video in videos if video.extractor == "Youtube" and video.published_at}
    kept = (replace(video, published_at=None) if video.key in rough else video for video in videos)
    return Listing(tuple(kept), rough_dates=rough, channel_id=page.get("channel_id"))


def _is_list(entry: Info) -> bool:
    if entry.get("_type", "video") in _LISTS:
        return True
    if entry.get("_type") not in _LINKS:
        return False
    extractor = _extractor(entry["url"], entry.get("ie_key"))
    # Of YouTube's tabs, playlists among them, yt-dlp does not say that they are no videos.
    return extractor.ie_key() == "YoutubeTab" or extractor.is_single_video(entry["url"]) is False


def _extractor(url: str, key: str | None) -> Any:  # noqa: ANN401 yt-dlp has no types
    """Return yt-dlp's class for a link."""
    from yt_dlp.extractor import gen_extractor_classes, get_info_extractor

    return get_info_extractor(key) if key else next(found for found in gen_extractor_classes() if found.suitable(url))


def _video(source: Source, entry: Info, parent: Info) -> Video:
    link = _link(entry, parent)
    extractor, source_id = _identity(entry, parent, link)
    return Video(
        key=partition_key(extractor, source_id),
        source=source.name,
        extractor=extractor,
        source_id=source_id,
        media_url=link,
        page_url=link if link.startswith(("http://", "https://")) else str(parent.get("webpage_url") or source.url),
        title=clean_title(entry.get("title")) or source_id,
        channel=clean_title(_first(entry, "channel", "uploader") or _first(parent, "channel", "uploader")),
        published_at=published(entry),
        duration_s=entry.get("duration"),
        language=source.language or whisper_language(entry.get("language")),
        live_status=_live_status(entry),
    )


def _link(entry: Info, parent: Info) -> str:
    """Return the page of the video; one that has none of its own is known by its media."""
    if entry.get("_type") in _LINKS:
        return str(entry["url"])
    formats = entry.get("formats") or [{}]
    return str(entry.get("webpage_url") or entry.get("url") or formats[-1].get("url") or parent["webpage_url"])


def _identity(entry: Info, parent: Info, link: str) -> tuple[str, str]:
    """Return extractor and id; for what the generic extractor finds the link, since ids there are only file names."""
    if entry.get("_type") in _LINKS:
        found = _extractor(link, entry.get("ie_key"))
        extractor, source_id = found.ie_key(), entry.get("id") or found.get_temp_id(link)
    else:
        extractor, source_id = _first(entry, "extractor_key") or _first(parent, "extractor_key"), entry.get("id")
    if extractor in _NAMED_BY_LINK:
        return "Generic", link
    return extractor, str(source_id or link)


def _first(info: Info, *names: str) -> str | None:
    return next((str(info[name]) for name in names if info.get(name)), None)


def _live_status(entry: Info) -> str | None:
    flags = (name for name in ("is_live", "was_live") if entry.get(name))
    return entry.get("live_status") or next(flags, None)
