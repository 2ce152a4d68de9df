"""Discovery: lists the sources and brings the catalogue up to date. Nothing is downloaded."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg import Connection
from pydantic import ValidationError

from .errors import IngestionError, PrivateAddress, SourceFault
from .politeness import Web
from .records import Video
from .sources.config import Source
from .sources.filters import newest_of_all
from .sources.keys import is_youtube_id
from .sources.listing import FeedState, Listing, list_source
from .sources.plan import Known, Plan, plan_of
from .sources.youtube import ATOM, WATCH, is_channel
from .store import catalogue
from .store.catalogue import SourceState
from .store.database import Database

ADDED = "added"
"""The source of videos that a person added by their addresses."""
Log = Callable[[str], None]


@dataclass
class Discovery:
    """What a discovery found; `faults` name the sources and single entries that could not be listed.

    `failed` holds the sources, by name, of which nothing could be listed.
    """

    listed: int = 0
    new: list[Video] = field(default_factory=list)
    waiting: int = 0
    faults: list[IngestionError] = field(default_factory=list)
    failed: dict[str, IngestionError] = field(default_factory=dict)


@dataclass(frozen=True)
class _Listed:
    """A source as it was listed, and how it stands where all that was found in it is taken."""

    source: Source
    listing: Listing
    state: SourceState


def discover(
    database: Database,
    sources: Sequence[Source],
    web: Web,
    *,
    limit: int | None = None,
    atom: str = ATOM,
    log: Log,
) -> Discovery:
    """List each source and save its videos; of those that are new the newest `limit`, the rest is left for next time.

    A source that cannot be listed keeps the reason, and does not stop the others. Without a limit each is saved as soon
    as it is listed; with one, all must have been.
    """
    found, listed = Discovery(), list[_Listed]()
    for source in sources:
        state, plan = _before(database, source, atom)
        listing = _list(database, source, plan, found, web, log)
        if listing is None:
            with database.writing() as connection:
                catalogue.save_source_error(connection, source.name, state.config_hash, str(found.failed[source.name]))
            continue
        listed.append(_Listed(source, listing, _after(state, source, plan, listing)))
        if limit is None:
            _keep(database, [listed.pop()], found, None)
    _keep(database, listed, found, limit)
    with database.writing() as connection:
        catalogue.forget_sources(connection, [source.name for source in sources])
    log(f"{found.listed} listed, {len(found.new)} new" + (f", {found.waiting} wait" if found.waiting else ""))
    return found


def add(database: Database, urls: Sequence[str], web: Web, *, log: Log) -> Discovery:
    """Save the videos at some addresses, all of a playlist, and such as were removed before.

    Raises `SourceFault` where one is no address; then nothing is saved.
    """
    found, sources = Discovery(), [_added(url) for url in urls]
    listings = [_list(database, source, Plan(source.url), found, web, log) for source in sources]
    listed = [listing for listing in listings if listing is not None]
    with database.writing() as connection:
        catalogue.restore(connection, [video.key for listing in listed for video in listing.videos])
        _save(connection, listed, found, None)
    return found


def catalogued(database: Database, key: str, web: Web, *, watch: str = WATCH, log: Log) -> Video:
    """Return a video of the catalogue; one whose key is a YouTube id, of which `watch` is the page, is added.

    So a partition key may be typed in by hand. Raises `VideoUnknown` for other keys, and for what was removed.
    """
    with database.connection() as connection:
        if not is_youtube_id(key) or catalogue.removed_keys(connection, [key]) or catalogue.is_named(connection, key):
            return catalogue.video_of(connection, key)
    video = _looked_up(database, key, watch + key, web, log)
    with database.writing() as connection:
        catalogue.save_videos(connection, [video])
        return catalogue.video_of(connection, key)


def config_hash(source: Source) -> str:
    """Return what changes with a source's entry in `sources.yaml`."""
    return hashlib.sha256(repr(source).encode()).hexdigest()[:16]


def _looked_up(database: Database, key: str, url: str, web: Web, log: Log) -> Video:
    """Return what the page of a video says of it; where it says nothing, the download will say why."""
    unnamed = Video(key, ADDED, "Youtube", key, url, url, title=key)
    try:
        with web.politeness.turn(database, unnamed, log), web.politeness.listing(database, ADDED, url):
            videos = list_source(_added(url), on_warning=log, allow_private=web.allow_private, access=web.access).videos
    except IngestionError as error:
        log(f"Nothing is known of video {key} yet: {error.what}")
        videos = ()
    return next((video for video in videos if video.key == key), unnamed)


def _added(url: str) -> Source:
    try:
        return Source(name=ADDED, url=url)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SourceFault(f"{message}.", "Give that of a video, a playlist or a page.") from None


def _before(database: Database, source: Source, atom: str) -> tuple[SourceState, Plan]:
    """Return how a source stood, and how to list it now; one whose entry has changed is like a new one."""
    with database.connection() as connection:
        state = catalogue.source_state(connection, source.name)
    if state is None or state.config_hash != config_hash(source):
        state = SourceState(config_hash(source))
    known = Known(FeedState(state.etag, state.last_modified), state.channel_id, state.reconciled_at)
    return state, plan_of(source, known, datetime.now(UTC), atom=atom)


def _list(database: Database, source: Source, plan: Plan, found: Discovery, web: Web, log: Log) -> Listing | None:
    """List a source; where that fails, note why and return None."""
    try:
        with web.politeness.listing(database, source.name, source.feed or source.url or ""):
            listing = list_source(source, plan, on_warning=log, allow_private=web.allow_private, access=web.access)
    except IngestionError as error:
        if isinstance(error, PrivateAddress):
            error = PrivateAddress(f"Source {source.name}: {error.what}", error.remedy)
        found.faults.append(error)
        found.failed[source.name] = error
        log(str(error))
        return None
    found.listed += len(listing.videos)
    found.faults.extend(listing.faults)
    log(f"{source.name}: {'unchanged' if listing.unchanged else f'{len(listing.videos)} listed'}")
    return listing


def _after(before: SourceState, source: Source, plan: Plan, listing: Listing) -> SourceState:
    channel_id = listing.channel_id if source.url and is_channel(source.url) else None
    return SourceState(
        before.config_hash,
        listing.state.etag,
        listing.state.last_modified,
        datetime.now(UTC) if plan.whole else before.reconciled_at,
        before.channel_id or channel_id,
    )


def _keep(database: Database, listed: Sequence[_Listed], found: Discovery, limit: int | None) -> None:
    with database.writing() as connection:
        left = _save(connection, [one.listing for one in listed], found, limit)
        for one in listed:
            _save_state(connection, one, left)


def _save(connection: Connection, listings: Sequence[Listing], found: Discovery, limit: int | None) -> set[str]:
    """Save what was listed except what a person removed; return the keys of new videos that found no room."""
    listed = newest_of_all(listings)
    removed = catalogue.removed_keys(connection, [video.key for video in listed])
    wanted = [video for video in listed if video.key not in removed]
    unknown = catalogue.unknown_videos(connection, wanted)
    new = unknown[:limit]
    left = {video.key for video in unknown[len(new) :]}
    found.new.extend(new)
    found.waiting += len(left)
    catalogue.save_videos(connection, [video for video in wanted if video.key not in left])
    return left


def _save_state(connection: Connection, one: _Listed, left: set[str]) -> None:
    """Keep how a source stands; where a video of it found no room, such that the next listing shows it again."""
    state = one.state
    if any(video.key in left for video in one.listing.videos):
        state = SourceState(state.config_hash, channel_id=state.channel_id)
    catalogue.save_source_state(connection, one.source.name, state)
