"""Lists a podcast feed: RSS or Atom, asked for only if it has changed."""

import calendar
import html
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from ingestion_pipeline.errors import IngestionError, Permanent, SourceFault
from ingestion_pipeline.languages import whisper_language
from ingestion_pipeline.records import Video

from .config import Source
from .entries import FeedState, Listing, clean_title
from .fetching import Answer, fetch
from .folders import MEDIA_SUFFIXES
from .keys import episode_id, partition_key

__all__ = ["FeedState", "list_feed", "parse_duration", "parse_feed"]

_DURATION = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,9})?)", re.ASCII)


def list_feed(source: Source, state: FeedState, *, on_warning: Callable[[str], None]) -> Listing:
    """List the episodes of the feed; raise `SourceFault` if it cannot be had or is no feed."""
    assert source.feed is not None
    answer = fetch(source.name, source.feed, state)
    if answer is None:
        return Listing(state=state, unchanged=True)
    feed = parse_feed(source.name, answer)
    return _listing(source, feed, answer, on_warning)


def parse_feed(name: str, answer: Answer) -> Mapping[str, Any]:
    """Return feedparser's reading of the answer; raise `SourceFault` if it cannot be read or declares entities."""
    import feedparser

    # UTF-16 has NULs between the letters.
    if b"<!entity" in answer.body.replace(b"\0", b"").lower():
        raise SourceFault(f"Source {name}: {answer.url} declares XML entities, which are refused.", "Use another feed.")
    # Without a location feedparser leaves guids as they are; from bytes it would open a file of that name.
    try:
        feed: Mapping[str, Any] = feedparser.parse(
            BytesIO(answer.body), response_headers={"content-type": answer.content_type or "application/xml"}
        )
    except Exception as error:  # it falls over hostile text, such as half of a surrogate pair
        what = f"Source {name}: {answer.url} cannot be read as a feed: {error}."
        raise SourceFault(what, "Tell its publisher, or leave it out.") from error
    if not feed.get("version"):
        raise SourceFault(
            f"Source {name}: {answer.url} is neither RSS nor Atom.",
            "Give the address of the feed itself; for a page or channel use url: in place of feed:.",
        )
    return feed


def parse_duration(text: str) -> float | None:
    """Return the seconds of `SS`, `MM:SS` or `HH:MM:SS`; None for anything else, and for zero."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds) or None


def _listing(source: Source, feed: Mapping[str, Any], answer: Answer, on_warning: Callable[[str], None]) -> Listing:
    videos: list[Video] = []
    faults: list[IngestionError] = []
    for entry in feed["entries"]:
        try:
            videos += _episode(source, feed["feed"], entry, answer.url)
        except Permanent as fault:
            faults.append(fault)
    if feed["entries"] and not videos and not faults:
        on_warning(f"Source {source.name}: no entry of {answer.url} has audio or video.")
    return Listing(tuple(videos), tuple(faults), answer.state)


def _episode(source: Source, channel: Mapping[str, Any], entry: Mapping[str, Any], base: str) -> list[Video]:
    """Return the entry's video, none if it has no audio or video; raise `Permanent` if its link is refused."""
    href = _enclosure(entry)
    if href is None:
        return []
    assert source.feed is not None
    title = clean_title(_plain(entry.get("title_detail")))
    media_url = _joined(base, href)
    if media_url is None:
        what = f"Source {source.name}: episode {title!r} links to {href}, which is not http or https."
        raise Permanent(what, "It is left out; its publisher can correct it.")
    source_id = episode_id(source.feed, entry.get("id") or "", media_url)
    return [
        Video(
            key=partition_key("feed", source_id),
            source=source.name,
            extractor="feed",
            source_id=source_id,
            media_url=media_url,
            page_url=_joined(base, entry.get("link") or "") or media_url,
            title=title or PurePosixPath(urlsplit(media_url).path).stem,
            channel=clean_title(_plain(channel.get("title_detail"))),
            published_at=_published(entry),
            duration_s=parse_duration(str(entry.get("itunes_duration") or "")),
            language=source.language or whisper_language(channel.get("language")),
        )
    ]


def _enclosure(entry: Mapping[str, Any]) -> str | None:
    """Return the link of the first enclosure that is audio or video by its type or, failing that, its suffix."""
    for enclosure in entry.get("enclosures", []):
        href, kind = enclosure.get("href", ""), enclosure.get("type", "").lower()
        suffix = PurePosixPath(href.partition("?")[0]).suffix.lower()
        if href and (kind.startswith(("audio/", "video/")) or suffix in MEDIA_SUFFIXES):
            return str(href)
    return None


def _joined(base: str, link: str) -> str | None:
    """Return the absolute address, None if it is not http or https."""
    try:
        address = urljoin(base, link.strip())
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if link and parts.scheme in {"http", "https"} and parts.hostname and address.isprintable() else None


def _plain(detail: Mapping[str, Any] | None) -> str:
    """Return the text without markup; many feeds escape "&" twice."""
    text = str((detail or {}).get("value") or "")
    return html.unescape(text if (detail or {}).get("type") == "text/plain" else re.sub(r"<[^<>]*>", "", text))


def _published(entry: Mapping[str, Any]) -> datetime | None:
    # A plain copy, since feedparser's own answers "updated" with "published" and warns.
    plain = dict(entry.items())
    parsed = plain.get("published_parsed") or plain.get("updated_parsed")
    if parsed is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError):
        return None
