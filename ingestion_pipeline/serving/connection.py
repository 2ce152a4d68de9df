"""HTTP to a model server, over a Unix socket or TCP, with the standard library alone: a run must start quickly."""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ingestion_pipeline.errors import ModelServerFault

from .wire import error_of

_SILENCE_S = 120.0
"""A server that transcribes says something every ten seconds, to who waits every half minute."""
ANSWER_S = 1800.0
"""For an answer in one piece: passages of many runs may be embedded before ours, on a small machine."""


class Gone(Exception):
    """The connection ended without an answer, or there was nobody to connect to."""


@dataclass(frozen=True)
class Address:
    """Where a model server is: unix:///path, http://host:port or https://host; `key` is its API key."""

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def socket_path(self) -> Path | None:
        """Return the path of a Unix socket, None where the server is reached by TCP."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "unix" else None

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        silence_s: float = _SILENCE_S,
    ) -> Iterator[HTTPResponse]:
        """Send a request and give the response; raise `Gone`, or the error that the server answers with.

        A server that says nothing for `silence_s` counts as gone.
        """
        connection = self._connection(silence_s)
        authorisation = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request(method, path, body, {**authorisation, **(headers or {})})
            response = connection.getresponse()
            if response.status >= 400:
                raise error_of(response.status, response.read())
            yield response
        except (OSError, HTTPException) as error:
            raise Gone(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, silence_s: float = _SILENCE_S
    ) -> dict[str, Any]:
        """Send and receive JSON; raises as `request` does."""
        sent = json.dumps(body).encode() if body is not None else b""
        with self.request(method, path, sent, {"Content-Type": "application/json"}, silence_s) as response:
            answer = response.read()
        try:
            return dict(json.loads(answer))
        except (ValueError, TypeError) as error:
            raise ModelServerFault(f"{self.url} is no model server of ours.", "See MODEL_SERVER_URL.") from error

    def pid(self) -> int | None:
        """Return the number of the process that answers, in its own machine's count; None where nobody does."""
        try:
            return int(self.ask("GET", "/healthz")["pid"])
        except Gone:
            return None

    def _connection(self, silence_s: float) -> HTTPConnection:
        parts = urlsplit(self.url)
        if self.socket_path:
            return _UnixConnection(self.socket_path, silence_s)
        if not parts.hostname or parts.scheme not in {"http", "https"}:
            raise ModelServerFault(f"{self.url} is not the address of a model server.", "See MODEL_SERVER_URL.")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname, parts.port, timeout=silence_s)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, silence_s: float) -> None:
        super().__init__("localhost", timeout=silence_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def events_in(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the server-sent events of a response; raise the error that one of them carries."""
    for line in response:
        if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
            event = json.loads(line[len(b"data: ") :])
            if "error" in event:
                raise error_of(response.status, line[len(b"data: ") :])
            yield event
