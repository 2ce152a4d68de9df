"""How sites are asked: a turn for each video, and none at a site that refuses, for all runs on all machines."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from psycopg import Connection

from .audio.failures import WAIT
from .audio.ytdlp import DIRECT, Access
from .errors import Breaker, SourceFault, SourceRefused
from .records import Video
from .store import sites
from .store.database import Database

YOUTUBE = "youtube.com"
_OF_YOUTUBE = ("youtube.com", "youtu.be", "youtube-nocookie.com")
RATES = {YOUTUBE: 5.0, "*": 60.0}
"""Videos a minute. YouTube allows a guest about 300 an hour (yt-dlp's wiki, "Extractors"); `*` is any other host."""


@dataclass(frozen=True)
class Politeness:
    """Videos a minute by host, `*` for any other, and how long (s) a host that refuses is left alone."""

    rates: Mapping[str, float] = field(default_factory=lambda: RATES)
    pause_s: float = 3600

    @contextmanager
    def turn(self, database: Database, video: Video, log: Callable[[str], None]) -> Iterator[None]:
        """Wait for the turn of the video's host, for what is done in the block; what is no link needs none.

        Raises `Breaker`, with the time until which to wait: from the block, or because the host refused before.
        """
        host = host_of(video.media_url)
        if not host:
            yield
            return
        rate = self.rates.get(host, self.rates["*"])
        if left_alone := sites.take_turn(database, host, rate, log):
            raise Breaker(f"{video.key}: {_why(host, left_alone)}", WAIT, left_alone.blocked_until)
        try:
            yield
        except Breaker as refusal:
            until = self._block(database, host, refusal.what)
            raise Breaker(refusal.what, WAIT, until) from refusal

    @contextmanager
    def listing(self, database: Database, source: str, url: str) -> Iterator[None]:
        """List a source in the block, unless its host is left alone; one that refuses is left alone from now on.

        Raises `SourceFault`.
        """
        host = host_of(url)
        with database.connection() as connection:
            left_alone = sites.blocked(connection, host)
        if left_alone:
            raise SourceFault(f"Source {source}: {_why(host, left_alone)}", "It is listed again after that.")
        try:
            yield
        except SourceRefused as refusal:
            self._block(database, host, refusal.what)
            raise

    def _block(self, database: Database, host: str, reason: str) -> datetime:
        until = datetime.now(UTC) + timedelta(seconds=self.pause_s)
        with database.connection() as connection:
            sites.block(connection, host, until, reason)
        return until


POLITE = Politeness()


@dataclass(frozen=True)
class Web:
    """How sites are asked: how often, by what way and as whom, and whether links into the own network are followed."""

    politeness: Politeness = POLITE
    access: Access = DIRECT
    allow_private: bool = False


WEB = Web()


def ask_again(connection: Connection, urls: Iterable[str]) -> None:
    """Have the sites of these links asked again, since a person wants it."""
    sites.unblock(connection, sorted({host_of(url) for url in urls}))


def rates_of(text: str) -> dict[str, float]:
    """Return videos a minute by host from `host=number,...,*=number`; hosts that are not named keep their default."""
    return {**RATES, **dict(_rate(part) for part in text.split(","))}


def host_of(url: str) -> str:
    """Return the host of a link, with a port that it names; all of YouTube's are one. Empty for what is no link."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removeprefix("www."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"}:
        return ""
    if any(host == own or host.endswith(f".{own}") for own in _OF_YOUTUBE):
        return YOUTUBE
    return f"{host}:{port}" if port else host


def _rate(part: str) -> tuple[str, float]:
    host, _, number = (word.strip().lower() for word in part.partition("="))
    try:
        rate = float(number)
    except ValueError:
        rate = 0
    if not host or "/" in host or not 0 < rate < math.inf:
        raise ValueError(f"{part.strip() or 'nothing'} is not a host with its videos a minute, such as youtube.com=5")
    return (host if host == "*" else host_of(f"http://{host}")), rate


def _why(host: str, left_alone: sites.Blocked) -> str:
    until = left_alone.blocked_until.astimezone(UTC)
    return f"{host} is left alone until {until:%Y-%m-%d %H:%M} UTC: {left_alone.reason}"
