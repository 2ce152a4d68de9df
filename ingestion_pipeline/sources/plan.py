"""Which way a source is listed this time: the cheapest that misses nothing, and once a day the whole of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .config import Source
from .entries import NOTHING, FeedState
from .youtube import ATOM, channel_in, is_tab, uploads

RECONCILED_EVERY = timedelta(days=1)
RECENT = 30
"""Entries that a small listing reads of each list: the first page of YouTube's."""


@dataclass(frozen=True)
class Known:
    """What earlier listings left: the version of the feed, the channel's id, when the whole was last listed."""

    state: FeedState = NOTHING
    channel_id: str | None = None
    reconciled_at: datetime | None = None


@dataclass(frozen=True)
class Plan:
    """How a source is listed: at `url`, at most `most` entries of each list (None for all).

    What `probe`, a channel's Atom feed, or the feed itself gives is compared with `state`; where nothing has changed,
    nothing is listed.
    """

    url: str | None
    most: int | None = None
    probe: str | None = None
    state: FeedState = NOTHING

    @property
    def whole(self) -> bool:
        """Whether the source is listed from end to end, whatever was known of it."""
        return self.most is None and self.state == NOTHING


def plan_of(source: Source, known: Known, now: datetime, *, atom: str = ATOM) -> Plan:
    """Return how to list a source now.

    Of a YouTube channel the Atom feed is asked whether there is anything new, and then the beginning of its uploads is
    listed: the feed alone knows no durations, by which a source may filter. The playlist of all uploads does not tell
    shorts and streams apart, so a source without those is listed by the channel's tabs.
    """
    channel_id = source.url and (channel_in(source.url) or known.channel_id)
    url = source.url
    if channel_id and source.url and source.shorts and source.live and not is_tab(source.url):
        url = uploads(channel_id)
    if known.reconciled_at is None or now - known.reconciled_at >= RECONCILED_EVERY:
        return Plan(url)
    if channel_id:
        return Plan(url, RECENT, f"{atom}?channel_id={channel_id}", known.state)
    return Plan(url, state=known.state)
