"""Videos that failed or wait: a row for each, until a success clears it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from .queries import queries

_SQL = queries("failures")


@dataclass(frozen=True)
class Failure:
    """Why a video failed or waits at `asset`, for the `attempts`-th time in a row.

    `retry_at` is when it is tried again, None where a person has to ask.
    """

    video: str
    title: str
    asset: str
    kind: str
    reason: str
    remedy: str
    attempts: int
    run_id: str
    failed_at: datetime
    retry_at: datetime | None


@dataclass(frozen=True)
class Due:
    """A video that was made due."""

    video: str
    kind: str
    media_url: str


def note(connection: Connection, failure: Failure, retry_at: Callable[[int], datetime | None]) -> Failure | None:
    """Keep a failure and return it as it stands now; None where the catalogue has no such video.

    Attempts are counted as long as the kind stays the same, and those of what may pass also while the video waited in
    between; `retry_at` gives the time of the next try for their count. What fails in another way, or will not be tried
    again any more, is news.
    """
    row = connection.execute(_SQL["note"], failure.__dict__).fetchone()
    if row is None:
        return None
    connection.execute(_SQL["schedule"], {"video": failure.video, "retry_at": retry_at(row[0])})
    return failure_of(connection, failure.video)


def clear(connection: Connection, video: str, asset: str) -> None:
    """Forget the failure of a video at an asset that has now succeeded."""
    connection.execute(_SQL["clear"], {"video": video, "asset": asset})


def failure_of(connection: Connection, video: str) -> Failure | None:
    """Return the failure of a video, None where there is none."""
    return next(iter(_listed(connection, video=video)), None)


def all_failures(connection: Connection) -> list[Failure]:
    """Return all of them by kind and remedy, the newest first."""
    return _listed(connection)


def untold(connection: Connection) -> list[Failure]:
    """Return those that nobody was told of; what is only not there yet is no news."""
    return _listed(connection, untold=True)


def told(connection: Connection, failures: Sequence[Failure]) -> None:
    """Note that somebody was told of these; what failed again since then stays untold."""
    videos, times = [one.video for one in failures], [one.failed_at for one in failures]
    connection.execute(_SQL["told"], {"videos": videos, "times": times})


def make_due(connection: Connection, videos: Sequence[str] | None = None, kind: str | None = None) -> list[Due]:
    """Have videos tried again now, or those of a kind, or all; return which have a failure."""
    with connection.cursor(row_factory=class_row(Due)) as cursor:
        asked = {"videos": None if videos is None else list(videos), "kind": kind}
        return cursor.execute(_SQL["make_due"], asked).fetchall()


def _listed(connection: Connection, *, video: str | None = None, untold: bool = False) -> list[Failure]:
    with connection.cursor(row_factory=class_row(Failure)) as cursor:
        return cursor.execute(_SQL["listed"], {"video": video, "untold": untold}).fetchall()
