"""Discovery: lists the sources and brings the catalogue up to date. Nothing is downloaded."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .audio.ytdlp import DIRECT, Access
from .errors import IngestionError, PrivateAddress
from .politeness import POLITE, Politeness
from .records import Video
from .sources.config import Source
from .sources.feeds import FeedState
from .sources.listing import Listing, list_source
from .store import catalogue
from .store.database import Database


@dataclass
class Discovery:
    """What a discovery found; `faults` name the sources and single entries that could not be listed."""

    listed: int = 0
    new: list[Video] = field(default_factory=list)
    waiting: int = 0
    faults: list[IngestionError] = field(default_factory=list)
    failed_sources: int = 0


def discover(
    database: Database,
    sources: Sequence[Source],
    *,
    limit: int | None = None,
    allow_private: bool = False,
    access: Access = DIRECT,
    politeness: Politeness = POLITE,
    log: Callable[[str], None],
) -> Discovery:
    """List each source and save its videos; of those that are new at most `limit`, the rest is left for next time."""
    found = Discovery()
    for source in sources:
        try:
            room = None if limit is None else limit - len(found.new)
            with politeness.listing(database, source.name, source.feed or source.url or ""):
                _discover_source(database, source, found, room, allow_private=allow_private, access=access, log=log)
        except IngestionError as error:
            if isinstance(error, PrivateAddress):
                error = PrivateAddress(f"Source {source.name}: {error.what}", error.remedy)
            found.faults.append(error)
            found.failed_sources += 1
            log(str(error))
    return found


def _discover_source(
    database: Database,
    source: Source,
    found: Discovery,
    room: int | None,
    *,
    allow_private: bool,
    access: Access,
    log: Callable[[str], None],
) -> None:
    config_hash = hashlib.sha256(repr(source).encode()).hexdigest()[:16]
    with database.connection() as connection:
        state = catalogue.source_state(connection, source.name)
    same = state is not None and state.config_hash == config_hash
    known = FeedState(state.etag, state.last_modified) if state and same else FeedState()
    listing = list_source(source, known, on_warning=log, allow_private=allow_private, access=access)
    new, waiting = _saved(database, source.name, listing, config_hash, room)
    found.listed += len(listing.videos)
    found.new.extend(new)
    found.waiting += waiting
    found.faults.extend(listing.faults)
    log(f"{source.name}: {len(listing.videos)} listed, {len(new)} new" + (f", {waiting} wait" if waiting else ""))


def _saved(
    database: Database, source: str, listing: Listing, config_hash: str, room: int | None
) -> tuple[list[Video], int]:
    """Save a listing in one transaction; return the new videos and how many new ones found no room.

    Where some found none, the state of the feed is not kept, so that the next listing shows them again.
    """
    with database.writing() as connection:
        unknown = catalogue.unknown_videos(connection, listing.videos)
        taken = unknown if room is None else unknown[: max(0, room)]
        left = {video.key for video in unknown[len(taken) :]}
        catalogue.save_videos(connection, [video for video in listing.videos if video.key not in left])
        state = FeedState() if left else listing.state
        kept = catalogue.SourceState(config_hash, state.etag, state.last_modified)
        catalogue.save_source_state(connection, source, kept)
    return taken, len(left)
