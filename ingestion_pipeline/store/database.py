"""Connections, transactions and locks. All waiting is done asleep, in Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from time import monotonic
from typing import LiteralString, Self

import psycopg
from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from ingestion_pipeline.errors import DatabaseFault, VideoBusy

_WRITERS, _RECOGNISERS, _VIDEOS = 1, 2, 3
"""Namespaces of advisory locks, the first of their two keys."""
_NAME_BYTES = 63
"""What PostgreSQL keeps of the name of an application."""
_SILENT_S = 30
"""A connection that is silent for longer is kept alive: else a long way forgets it, and its locks stay held."""
_TRUSTED_S = 10
"""A connection that was busy or idle for longer is not used again: something between here and there may have cut it."""
_AS_NEW = "reset all; select pg_advisory_unlock_all()"


class Database:
    """The project's database; `writers` is the number of transactions that write at once, over all processes.

    `holder` is the run that uses it, by whose name PostgreSQL shows its connections.
    """

    def __init__(self, url: str, writers: int = 12, holder: str = "") -> None:
        self.url, self.writers = url, writers
        self.application_name = f"ingest {holder}"[:_NAME_BYTES] if holder else "ingestion-pipeline"
        self._idle: list[tuple[Connection, float]] | None = None

    @contextmanager
    def connection(self, *, autocommit: bool = False) -> Iterator[Connection]:
        """Give a connection whose transaction is committed at the end; raise `DatabaseFault` without one."""
        connection, taken_at = self._taken() or self._connected(), monotonic()
        try:
            connection.autocommit = autocommit
            with _ended_with_its_query(connection):
                yield connection
            connection.commit()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, taken_at)

    @contextmanager
    def reusing(self) -> Iterator[Self]:
        """Keep connections for who asks next, in any thread, until the block ends.

        To make one takes as long as several queries, and its first ones are slow.
        """
        self._idle = []
        try:
            yield self
        finally:
            idle, self._idle = self._idle, None
            for connection, _ in idle:
                connection.close()

    def close_idle(self) -> None:
        """Close the connections that are kept, before a long wait: the server has only so many."""
        with suppress(IndexError):
            while self._idle:
                self._idle.pop()[0].close()

    @contextmanager
    def writing(self, held: Connection | None = None) -> Iterator[Connection]:
        """Give a connection, that of `only_run_of` or a new one, in a transaction with one of the writer slots.

        It is committed at the end.
        """
        with (
            nullcontext(held) if held else self.connection() as connection,
            connection.transaction(),
            _ended_with_its_query(connection),
        ):
            with connection.cursor() as cursor:
                _take_any(cursor, "select pg_advisory_xact_lock(%s, %s)", _WRITERS, self.writers)
            yield connection

    @contextmanager
    def recognising(self, workers: int) -> Iterator[None]:
        """Hold one of the `workers` places for a video in transcription."""
        with self.connection(autocommit=True) as connection, connection.cursor() as cursor:
            _take_any(cursor, "select pg_advisory_lock(%s, %s)", _RECOGNISERS, workers)
            yield

    @contextmanager
    def only_run_of(self, video: str) -> Iterator[Connection]:
        """Hold a video alone; a second run waits until the first is done or dead.

        The connection that holds it commits each statement by itself.
        """
        with self.connection(autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(%s, hashtext(%s))", (_VIDEOS, video))
            yield connection

    @contextmanager
    def unless_busy(self, video: str) -> Iterator[None]:
        """Hold a video alone, as `only_run_of`; raise `VideoBusy` where a run has it."""
        with self.connection(autocommit=True) as connection:
            held = connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (_VIDEOS, video)).fetchone()
            if held == (False,):
                raise VideoBusy(f"A run works on video {video}.", "Try again when it is done, or cancel it.")
            yield

    def _connected(self) -> Connection:
        try:
            return psycopg.connect(
                self.url,
                connect_timeout=10,
                keepalives_idle=_SILENT_S,
                keepalives_interval=10,
                application_name=self.application_name,
            )
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            raise DatabaseFault(
                f"The database cannot be reached: {error}.", "See DATABASE_URL, and `ingest doctor`."
            ) from None

    def _taken(self) -> Connection | None:
        """Return an idle connection that can be trusted."""
        with suppress(IndexError):
            while self._idle is not None:
                connection, since = self._idle.pop()
                if monotonic() - since <= _TRUSTED_S:
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: Connection, taken_at: float) -> None:
        if self._idle is None or monotonic() - taken_at > _TRUSTED_S:
            connection.close()
            return
        try:
            connection.autocommit = True
            connection.execute(_AS_NEW)
        except psycopg.OperationalError:  # it was cut after its work was done
            connection.close()
        else:
            self._idle.append((connection, monotonic()))


@contextmanager
def _ended_with_its_query(connection: Connection) -> Iterator[None]:
    """End a query that is interrupted: psycopg does so at a KeyboardInterrupt, but Dagster makes another of it."""
    try:
        yield
    except BaseException:
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.cancel_safe()
            connection.close()
        raise


def _take_any(cursor: Cursor[TupleRow], lock: LiteralString, namespace: int, slots: int) -> None:
    """Take one of the slots; where all are taken, wait for each in turn, a second at a time."""
    try_lock = lock.replace("pg_advisory", "pg_try_advisory")
    for slot in range(slots):
        if cursor.execute(try_lock, (namespace, slot)).fetchone() == (True,):
            return
    cursor.execute("set lock_timeout = '1s'")
    for turn in count(cursor.connection.info.backend_pid):
        try:
            with cursor.connection.transaction():
                cursor.execute(lock, (namespace, turn % slots))
            break
        except psycopg.errors.LockNotAvailable:
            continue
    cursor.execute("set lock_timeout = 0")
