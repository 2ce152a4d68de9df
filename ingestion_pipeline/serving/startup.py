"""Finding the model server of this machine, or starting it: of many runs that need it at once, one does."""

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from ingestion_pipeline.errors import ModelServerFault
from ingestion_pipeline.private_folders import check_owner, make_private, socket_folder

from .config import ServerConfig
from .connection import Address


@dataclass(frozen=True)
class LocalServer:
    """The model server with a configuration, for one user and one `folder`, which gets its log."""

    config: ServerConfig
    folder: Path

    @property
    def address(self) -> Address:
        """Where it listens, whether or not it runs."""
        return Address(f"unix://{self.socket_path}")

    @property
    def socket_path(self) -> Path:
        """The Unix socket; its name carries the configuration, so that a changed one gets a new server."""
        return socket_folder(self.folder) / f"asr-{self.config.name}.sock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / f"{self.config.name}.log"

    def running(self) -> bool:
        """Say whether a server answers."""
        if not self.socket_path.exists():
            return False
        try:
            check_owner(self.socket_path.parent)
        except FileNotFoundError:  # a server that has just ended takes the folder with it
            return False
        return self.address.pid() is not None

    def have(self) -> None:
        """Return when a server answers; raise `ModelServerFault` where none can be started."""
        if self.running():
            return
        try:
            with self._starting() as lock:
                if not self.running():
                    self._start(lock)
        except OSError as error:
            raise ModelServerFault(
                f"The model server cannot be started: {error.strerror}: {error.filename or self.folder}.",
                "Change DATA_DIR, or set MODEL_SERVER_URL.",
            ) from error

    def end(self) -> None:
        """Have the server finish what it has begun and end; return when it has. Nothing where none answers."""
        pid = self.address.pid() if self.running() else None
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            server = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(server, signal.SIGTERM)
                select.select([server], [], [])
            finally:
                os.close(server)

    def listening(self) -> socket.socket:
        """Return the socket, for a server in this process; raise `ModelServerFault` where one runs already."""
        with self._starting():
            if self.running():
                raise ModelServerFault("A model server with these settings runs already.", f"See {self.log}.")
            return listening_on(self.socket_path)

    @contextmanager
    def _starting(self) -> Iterator[IO[bytes]]:
        """Hold the lock of who starts the server; the server holds it as well, until it listens."""
        make_private(self.folder)
        make_private(self.socket_path.parent)
        with (self.folder / f"{self.config.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock

    def _start(self, lock: IO[bytes]) -> None:
        """Start a server in a session of its own, and wait until it listens, or has ended."""
        heard, told = os.pipe()
        with os.fdopen(heard, "rb") as ready, self.log.open("ab") as log:
            began = log.tell()
            command = [sys.executable, "-m", "ingestion_pipeline.serving", self.config.to_json(), str(self.socket_path)]
            try:
                server = subprocess.Popen(
                    [*command, str(told), str(lock.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(told, lock.fileno()),
                    start_new_session=True,
                    cwd="/",
                )
            finally:
                os.close(told)
            # Should it end before this process does, somebody must take notice.
            Thread(target=server.wait, daemon=True).start()
            if ready.read() != b"ready":
                raise ModelServerFault(
                    f"The model server did not start: {_last_line(self.log, began)}.", f"See {self.log}."
                )


def listening_on(path: Path) -> socket.socket:
    """Return a Unix socket that only this user can connect to; what an earlier server left there goes."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)  # a server that ends takes an empty folder with it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)
    return listener


def _last_line(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "it said nothing")
