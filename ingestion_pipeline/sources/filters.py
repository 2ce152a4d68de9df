"""Which videos of a listing a source wants."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time

from ingestion_pipeline.records import Video

from .config import Source
from .entries import Listing

_LIVE = {"is_live", "was_live", "post_live", "is_upcoming"}
_NOW_OR_LATER = datetime.max.replace(tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def choose(videos: Iterable[Video], source: Source) -> list[Video]:
    """Return the videos that the source wants, newest first, at last cut to its `newest`."""
    return newest_first(video for video in videos if is_wanted(video, source))[: source.newest]


def is_wanted(video: Video, source: Source) -> bool:
    """Tell whether every filter of the source lets the video pass; an unknown duration or date passes."""
    return (
        (source.title is None or re.search(source.title, video.title) is not None)
        and (source.shorts or not is_short(video))
        and (source.live or video.live_status not in _LIVE)
        and _long_enough(video, source)
        and _new_enough(video, source)
    )


def is_short(video: Video) -> bool:
    """Tell whether the page is that of a short."""
    return "/shorts/" in video.page_url


def newest_first(videos: Iterable[Video]) -> list[Video]:
    """Sort by `published_at`, newest first; a video without one stays behind its predecessor in the listing."""
    listed, dates, date = list(videos), [], _NOW_OR_LATER
    for video in listed:
        date = video.published_at or date
        dates.append(date)
    order = sorted(range(len(listed)), key=dates.__getitem__, reverse=True)
    return [listed[place] for place in order]


def newest_of_all(listings: Iterable[Listing]) -> list[Video]:
    """Return the videos of several listings, newest first, each key once, those of one listing in its order.

    One without a date goes with its predecessor; a listing without any date comes last.
    """
    dated: dict[str, tuple[datetime, Video]] = {}
    for listing in listings:
        dates = [video.published_at or listing.rough_dates.get(video.key) for video in listing.videos]
        date = next(filter(None, dates), _LONG_AGO)
        for own, video in zip(dates, listing.videos, strict=True):
            date = own or date
            dated.setdefault(video.key, (date, video))
    return [video for _, video in sorted(dated.values(), key=lambda pair: pair[0], reverse=True)]


def _long_enough(video: Video, source: Source) -> bool:
    if video.duration_s is None:
        return True
    longest = float("inf") if source.max_duration is None else source.max_duration
    return (source.min_duration or 0) <= video.duration_s <= longest


def _new_enough(video: Video, source: Source) -> bool:
    if video.published_at is None or source.since is None:
        return True
    return video.published_at >= datetime.combine(source.since, time(), UTC)
