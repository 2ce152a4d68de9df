"""What the sensors ask the database: which videos could be due, who waits, and which runs are connected."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from .queries import queries

_SQL = queries("requests")


@dataclass(frozen=True)
class Candidate:
    """A video that is not done; `retry_at` is when a failed one may be tried again, None for one that never failed."""

    key: str
    title: str
    channel: str
    source: str
    media_url: str
    duration_s: float | None
    retry_at: datetime | None = None


@dataclass(frozen=True)
class SetBack:
    """How many failed videos wait, the first of them until `next_at`, and how many wait for a person."""

    waiting: int
    next_at: datetime | None
    for_good: int


def new_videos(connection: Connection) -> list[Candidate]:
    """Return the videos without embeddings that did not fail, newest first; a change of model makes none new."""
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(_SQL["new"]).fetchall()


def retries(connection: Connection, now: datetime) -> list[Candidate]:
    """Return the failed videos whose time has come, the longest due first."""
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(_SQL["retries"], {"now": now}).fetchall()


def set_back(connection: Connection, now: datetime) -> SetBack:
    """Return how many failed videos are not due."""
    with connection.cursor(row_factory=class_row(SetBack)) as cursor:
        row = cursor.execute(_SQL["set_back"], {"now": now}).fetchone()
    assert row is not None
    return row


def connected_runs(connection: Connection) -> set[str]:
    """Return the ids of the runs that hold a connection to the database."""
    return {run_id for (run_id,) in connection.execute(_SQL["holders"])}
