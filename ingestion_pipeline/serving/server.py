"""The process of a model server: it listens, ends when idle, and at SIGTERM finishes what it has begun."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import uvicorn

from ingestion_pipeline.errors import EnvironmentFault

from .app import app_of
from .service import Service

_Place = tuple[Path, int]
"""A socket's path, and the number of the file that lies there."""
_LAST_THREADS_S = 10
"""For which threads that nobody waits for may go on: one may be loading a model, which cannot be broken off."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def listening_at(host: str, port: int, key: str | None) -> socket.socket:
    """Return a TCP socket; raise `EnvironmentFault` where it is taken, or open to others without an API key."""
    if host not in _LOOPBACK and not key:
        raise EnvironmentFault(
            f"Without an API key {host} is not served.", "Set MODEL_SERVER_API_KEY, or --host 127.0.0.1."
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise EnvironmentFault(f"Cannot listen on {host}:{port}: {error.strerror}.", "Give another --port.") from error


def serve(service: Service, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until the service was idle for long, or a signal comes; `ready` is called once requests are answered."""
    place = _place_of(listener)
    app, last_s = app_of(service), service.limits.last_s
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=last_s, timeout_keep_alive=1
    )
    try:
        asyncio.run(_serve(service, _Server(config), listener, ready, place))
    finally:
        _remove(place)
        with _no_longer_than(_LAST_THREADS_S):
            service.close()


@contextlib.contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """End the process, whatever its threads do, where the block takes longer."""
    end = Timer(seconds, os._exit, [1])
    end.daemon = True
    end.start()
    try:
        yield
    finally:
        end.cancel()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us: uvicorn would raise them again, before anything is cleared away."""
        yield


async def _serve(
    service: Service, server: uvicorn.Server, listener: socket.socket, ready: Callable[[], None], place: _Place | None
) -> None:
    def leave() -> None:
        # First of all, nobody must find this server any more: who is sent away asks the next one.
        _remove(place)
        for accepting in server.servers:
            accepting.close()
        service.leave()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    idle = asyncio.create_task(_end_when_idle(service, leave))
    with contextlib.suppress(asyncio.CancelledError):
        loop.call_soon(ready)
        await server.serve([listener])
    idle.cancel()


async def _end_when_idle(service: Service, leave: Callable[[], None]) -> None:
    most = service.config.idle_s
    while most is not None:
        left = most - service.quiet_s
        if left <= 0:
            leave()
            return
        await asyncio.sleep(left)


def _place_of(listener: socket.socket) -> _Place | None:
    if listener.family != socket.AF_UNIX:
        return None
    path = Path(listener.getsockname())
    return path, path.stat().st_ino


def _remove(place: _Place | None) -> None:
    """Remove the socket, unless another server has laid its own there; and its folder, if it was the last."""
    if place is None:
        return
    path, number = place
    with contextlib.suppress(OSError):
        if path.stat().st_ino == number:
            path.unlink()
        path.parent.rmdir()
