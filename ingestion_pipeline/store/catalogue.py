"""The catalogue: which videos there are, and how each source stood when it was last listed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from ingestion_pipeline.errors import VideoUnknown
from ingestion_pipeline.records import Video

from .queries import queries
from .search import Filters

_SQL = queries("catalogue")


@dataclass(frozen=True)
class SourceState:
    """How a source was last listed; `config_hash` tells whether its entry in `sources.yaml` has changed since.

    `reconciled_at` is when it was last listed from end to end, `channel_id` that of a YouTube channel.
    """

    config_hash: str
    etag: str | None = None
    last_modified: str | None = None
    reconciled_at: datetime | None = None
    channel_id: str | None = None


@dataclass(frozen=True)
class SourceCounts:
    """How many videos of a source were found, are embedded, failed, wait, or lie on a blocked site."""

    source: str
    found: int
    done: int
    failed: int
    waits: int
    blocked: int
    error: str | None


def unknown_videos(connection: Connection, videos: Sequence[Video]) -> list[Video]:
    """Return those that the catalogue does not hold, in the same order."""
    keys = [video.key for video in videos]
    known = {key for (key,) in connection.execute(_SQL["known_keys"], (keys,))}
    return [video for video in videos if video.key not in known]


def all_keys(connection: Connection) -> list[str]:
    """Return the key of every video."""
    return [key for (key,) in connection.execute(_SQL["all_keys"])]


def save_videos(connection: Connection, videos: Sequence[Video]) -> None:
    """Add videos, newest first; one that is there keeps its source, and what the new listing does not know of it.

    Where nobody says when a video was published, the time at which it was added stands for that: the newest is last.
    """
    with connection.cursor() as cursor:
        cursor.executemany(_SQL["upsert_video"], [asdict(video) for video in reversed(videos)])


def video_of(connection: Connection, key: str) -> Video:
    """Return a video; raise `VideoUnknown` where the catalogue has none."""
    with connection.cursor(row_factory=class_row(Video)) as cursor:
        video = cursor.execute(_SQL["video"], (key,)).fetchone()
    if video is None:
        raise VideoUnknown(f"Video {key} is not in the catalogue.", "Run `ingest discover`, or `ingest add URL`.")
    return video


def is_known(connection: Connection, key: str) -> bool:
    """Tell whether the catalogue holds a video."""
    return connection.execute(_SQL["known_keys"], ([key],)).fetchone() is not None


def is_named(connection: Connection, key: str) -> bool:
    """Tell whether the catalogue holds a video, and more of it than its key."""
    return connection.execute(_SQL["is_named"], {"key": key}).fetchone() == (True,)


def removed_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of `keys` whose videos a person removed."""
    return {key for (key,) in connection.execute(_SQL["removed_keys"], (list(keys),))}


def restore(connection: Connection, keys: Sequence[str]) -> None:
    """Let videos that were removed be added again."""
    connection.execute(_SQL["restore"], (list(keys),))


def remove(connection: Connection, key: str) -> None:
    """Delete a video with all that was made of it, and note that no listing should add it again."""
    connection.execute(_SQL["remove"], (key,))
    connection.execute(_SQL["delete_video"], (key,))


def videos_to_do(connection: Connection, embedding_model: str, *, failed: bool = False) -> list[str]:
    """Return the keys of the videos that lack a transcript or embeddings of this model, newest first.

    Those that failed or wait are among them when they are due, or all with `failed`.
    """
    rows = connection.execute(_SQL["videos_to_do"], {"model": embedding_model, "failed": failed})
    return [key for (key,) in rows]


def transcribed_videos(connection: Connection, filters: Filters, limit: int, offset: int) -> list[Video]:
    """Return the videos that have a transcript, newest first, each with the language that is spoken in it."""
    with connection.cursor(row_factory=class_row(Video)) as cursor:
        values = {**asdict(filters), "limit": limit, "offset": offset}
        return cursor.execute(_SQL["transcribed_videos"], values).fetchall()


def source_state(connection: Connection, name: str) -> SourceState | None:
    """Return how a source stood, None before its first listing."""
    with connection.cursor(row_factory=class_row(SourceState)) as cursor:
        return cursor.execute(_SQL["source_state"], (name,)).fetchone()


def save_source_state(connection: Connection, name: str, state: SourceState) -> None:
    """Keep how a source stands now."""
    connection.execute(_SQL["save_source_state"], {"name": name, **asdict(state)})


def save_source_error(connection: Connection, name: str, config_hash: str, error: str) -> None:
    """Keep why a source could not be listed; what is known of it stays."""
    connection.execute(_SQL["save_source_error"], {"name": name, "config_hash": config_hash, "error": error})


def forget_sources(connection: Connection, kept: Sequence[str]) -> None:
    """Forget how sources stood that are not among `kept`; their videos stay."""
    connection.execute(_SQL["forget_sources"], (list(kept),))


def source_counts(connection: Connection, embedding_model: str) -> list[SourceCounts]:
    """Return how each source stands; what is done is embedded by this model."""
    with connection.cursor(row_factory=class_row(SourceCounts)) as cursor:
        return cursor.execute(_SQL["source_counts"], {"model": embedding_model}).fetchall()
