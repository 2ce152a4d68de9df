"""The code server of `ingest dev`: one process that loads the definitions, for the webserver and the daemon."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingestion_pipeline.private_folders import make_private, socket_folder

WORKSPACE = "code_server.yaml"
_VARIABLE = "INGEST_CODE_SERVER"
"""Where that workspace looks for the socket."""


@contextmanager
def code_server_at(home: Path) -> Iterator[Path]:
    """Give the path of a socket for the code server of a DAGSTER_HOME, to which the workspace leads in this block.

    Without it, webserver and daemon would each start a code server, and the daemon a new one every minute, which takes
    2 s of CPU time (`RELOAD_WORKSPACE_INTERVAL` in dagster/_daemon/controller.py).
    """
    folder = socket_folder(home)
    make_private(folder)
    path = folder / f"code-{os.getpid()}.sock"
    os.environ[_VARIABLE] = str(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def code_server_command(path: Path) -> tuple[str, ...]:
    """Return the module, with its arguments, that serves the definitions at a socket."""
    module = ("--module-name", "ingestion_pipeline.definitions", "--location-name", "ingestion_pipeline")
    return ("dagster", "api", "grpc", "--socket", str(path), "--log-level", "warning", *module)


def answers(path: Path) -> bool:
    """Say whether a code server has loaded the definitions and listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def shut_down(path: Path) -> None:
    """Ask a code server to end, since a signal alone leaves it waiting for that; nothing where it has ended."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    with suppress(DagsterUserCodeUnreachableError):
        DagsterGrpcClient(socket=str(path)).shutdown_server()
