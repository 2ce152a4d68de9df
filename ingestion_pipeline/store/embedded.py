"""The embedded PostgreSQL that serves when DATABASE_URL is not set: all commands share it, the last one out stops it.

Three locks (flock, so that the kernel drops a dead process's):
`server.lock` is held by who starts or stops it, `in-use.lock` is shared by all who use it,
and `alive.lock` is passed on to initdb and PostgreSQL, so it is free only when the last of their processes has gone.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from psycopg.pq import PGconn, Ping

from ingestion_pipeline.errors import DatabaseFault
from ingestion_pipeline.private_folders import check_owner, make_private, socket_folder

from . import embedded_programs as programs

_PAUSE = 0.25
"""Seconds between two looks at a server that is on its way."""
_FAREWELL, _RECOVERY = 40, 2400
"""Looks at a server that dies (10 s), and at one that starts, perhaps from a long log (10 min)."""


class EmbeddedServer:
    """PostgreSQL in `folder`, reached over a Unix socket by the user who owns the folder and by nobody else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._sockets = socket_folder(self._folder)
        self._keep = self._folder / "keep-running"

    def url(self, database: str) -> str:
        """Return the URL of a database on this server, whether or not it runs."""
        socket = quote(str(self._sockets), safe="")
        return f"postgresql://{programs.USER}@/{quote(database, safe='')}?host={socket}&port={programs.PORT}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the server running; the last who leaves stops it, unless `start` was called.

        Raises `DatabaseFault` where it does not start, `EnvironmentFault` where it is not installed.
        """
        with self._alone():
            use = self._open("in-use.lock")
            fcntl.flock(use, fcntl.LOCK_SH)
        try:
            with self._alone():
                self._bring_up()
            yield
        finally:
            with self._alone():
                use.close()
                if not self._keep.exists() and not self._used():
                    self._shut_down()

    def start(self) -> bool:
        """Start the server and keep it running until `stop`; say whether it was not running. Raises as `in_use`."""
        with self._alone():
            started = self._bring_up()
            self._keep.touch()
        return started

    def stop(self) -> bool:
        """Stop the server and say whether it was running; raise `DatabaseFault` while a command uses it."""
        if not self._folder.exists():
            return False
        with self._alone():
            self._keep.unlink(missing_ok=True)
            if self._used():
                raise DatabaseFault("The embedded database is in use.", "It stops when the last command has ended.")
            return self._shut_down()

    def running(self) -> bool:
        """Say whether the server takes connections."""
        return self._ping() == Ping.OK

    def _bring_up(self) -> bool:
        for _ in range(_FAREWELL):
            if self.running():
                return False
            if alive := self._taken("alive.lock"):
                self._launch(alive)
                return True
            time.sleep(_PAUSE)
        raise DatabaseFault(
            f"Processes of an earlier server still hold {self._folder}: {programs.last_words(self._folder)}.",
            "Wait for them; where it is shared with another machine or container, stop it there.",
        )

    def _launch(self, alive: IO[bytes]) -> None:
        with alive:
            programs.initialise(self._folder, alive)
            make_private(self._sockets)
            programs.launch(self._folder, self._sockets, alive)
        for _ in range(_RECOVERY):
            if self.running():
                return
            if self._gone():
                break
            time.sleep(_PAUSE)
        raise DatabaseFault(
            f"The embedded database did not start: {programs.last_words(self._folder)}.",
            f"See {self._folder / 'log'}, or set DATABASE_URL.",
        )

    def _shut_down(self) -> bool:
        if self._ping() == Ping.NO_RESPONSE:
            return False
        programs.shut_down(self._folder)
        for _ in range(_FAREWELL):
            if self._gone():
                with suppress(OSError):
                    self._sockets.rmdir()
                return True
            time.sleep(_PAUSE)
        raise DatabaseFault(f"The embedded database in {self._folder} did not stop.", "See its log.")

    def _ping(self) -> Ping:
        if not self._sockets.is_dir():
            return Ping.NO_RESPONSE
        check_owner(self._sockets)
        return Ping(PGconn.ping(f"{self.url('postgres')}&connect_timeout=10".encode()))

    def _used(self) -> bool:
        return not self._free("in-use.lock")

    def _gone(self) -> bool:
        return self._free("alive.lock")

    def _free(self, name: str) -> bool:
        lock = self._taken(name)
        if lock:
            lock.close()
        return lock is not None

    def _taken(self, name: str) -> IO[bytes] | None:
        """Take a lock for good, or return None while another holds it."""
        lock = self._open(name)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            make_private(self._folder)
            with self._open("server.lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise DatabaseFault(
                f"The embedded database: {error.strerror}: {error.filename or self._folder}.",
                "Change DATA_DIR, or set DATABASE_URL.",
            ) from None

    def _open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("ab")
