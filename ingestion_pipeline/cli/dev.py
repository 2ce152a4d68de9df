"""`ingest dev`: the Dagster UI with daemon and code server, and the embedded database while they run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from ingestion_pipeline.errors import EnvironmentFault

from .code_server import WORKSPACE, answers, code_server_at, code_server_command, shut_down
from .session import Session, shipped

_PATIENCE_S = 30
"""What a process gets to end by itself."""


@click.command(epilog="Example: ingest dev --port 3001")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI.")
@click.pass_obj
def dev(session: Session, host: str, port: int) -> None:
    """Start the Dagster UI and its daemon.

    The embedded database runs with them, where no DATABASE_URL is set. Ctrl-C stops all, with the model server of the
    runs; the database last.
    """
    _check_free(host, port)
    workspace, started = str(shipped(WORKSPACE)), dict[str, subprocess.Popen[bytes]]()
    with _ended_by_signals(), session.dagster(), session.model_server_ended(), ExitStack() as stack:

        def start(name: str, *command: str) -> None:
            started[name] = stack.enter_context(_process(*command))

        path = stack.enter_context(code_server_at(Path(os.environ["DAGSTER_HOME"])))
        start("The code server", *code_server_command(path))
        stack.callback(shut_down, path)
        _wait_until(lambda: answers(path), started)
        start("The webserver", "dagster_webserver", "-w", workspace, "-h", host, "-p", str(port))
        start("The daemon", "dagster._daemon", "run", "-w", workspace)
        _wait_until(lambda: _is_open(host, port), started)
        click.echo(f"Dagster UI: http://{host}:{port}  (Ctrl-C stops it)")
        _wait_until(lambda: False, started)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module in a session of its own, so that Ctrl-C reaches it from here alone; end it with the block."""
    # In Dagster's home, since Dagster reads the `.env` of its working folder.
    home = os.environ["DAGSTER_HOME"]
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=home, start_new_session=True)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP, the closing of a terminal, as Ctrl-C; one that is ignored, as under nohup, stays so."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    heeded = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    former = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _check_free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        raise EnvironmentFault(f"Cannot listen on {host}:{port}: {error.strerror}.", "Give another --port.") from None


def _wait_until(holds: Callable[[], bool], processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Return when it holds; raise `EnvironmentFault` where a process ends before."""
    while not holds():
        for name, process in processes.items():
            if (status := process.poll()) is not None:
                raise EnvironmentFault(f"{name} ended with status {status}.", "See its messages above.")
        time.sleep(0.2)


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 1):
            return True
    except OSError:
        return False


COMMANDS = (dev,)
