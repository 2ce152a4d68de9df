"""One limiter and one breaker for each host, in a row that all runs on all machines share."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row

from .database import Database
from .queries import queries

_SQL = queries("sites")


@dataclass(frozen=True)
class Blocked:
    """Until when a host is left alone, and what it said."""

    blocked_until: datetime
    reason: str


def blocked(connection: Connection, host: str) -> Blocked | None:
    """Return until when a host is left alone, None where it may be asked."""
    with connection.cursor(row_factory=class_row(Blocked)) as cursor:
        return cursor.execute(_SQL["blocked"], (host,)).fetchone()


def blocked_hosts(connection: Connection) -> list[str]:
    """Return the hosts that are left alone now."""
    return [host for (host,) in connection.execute(_SQL["blocked_hosts"])]


def block(connection: Connection, host: str, until: datetime, reason: str) -> None:
    """Leave a host alone until then; a longer block stays. Who waits for a turn loses it."""
    connection.execute(_SQL["block"], {"host": host, "until": until, "reason": reason})


def unblock(connection: Connection, hosts: Sequence[str]) -> None:
    """Let hosts be asked again."""
    connection.execute(_SQL["unblock"], (list(hosts),))


def take_turn(database: Database, host: str, per_minute: float, log: Callable[[str], None]) -> Blocked | None:
    """Sleep until the host's next turn, which nobody else has; return at once, or afterwards, that it is left alone.

    The turn is taken in one statement, and the sleep holds no connection.
    """
    with database.connection(autocommit=True) as connection:
        wait_s = reserved(connection, host, per_minute)
        while wait_s is None:
            if found := blocked(connection, host):
                return found
            wait_s = reserved(connection, host, per_minute)
    if wait_s <= 0:
        return None
    log(f"{host}: its turn comes in {wait_s:.0f} s")
    database.close_idle()
    time.sleep(wait_s)
    with database.connection(autocommit=True) as connection:
        return blocked(connection, host)


def reserved(connection: Connection, host: str, per_minute: float) -> float | None:
    """Return how long it is (s) until the turn that is ours now; None where the host is left alone."""
    asked = {"host": host, "every": timedelta(minutes=1 / per_minute)}
    row = connection.execute(_SQL["reserve"], asked).fetchone()
    return row[0] if row else None
