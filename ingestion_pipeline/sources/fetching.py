"""Gets a feed over HTTP: bounded in size and time, and only if it has changed."""

import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit

from ingestion_pipeline.audio.network import shown
from ingestion_pipeline.errors import SourceFault, SourceRefused

from .entries import FeedState

MAX_BYTES = 32 * 1024 * 1024
SILENCE_S = 30
DEADLINE_S = 300
_BLOCK = 64 * 1024
_USER_AGENT = "ingestion-pipeline (podcast feed reader)"


@dataclass(frozen=True)
class Answer:
    """A feed as the server sent it; `url` is where redirects ended."""

    url: str
    body: bytes
    content_type: str
    state: FeedState


def fetch(name: str, url: str, state: FeedState) -> Answer | None:
    """Return the feed, or None if the server says that it is as `state` knew it.

    Only http and https are followed, redirects included. Raises `SourceFault` that names source, URL and reason: an
    HTTP error (429 as `SourceRefused`), no connection, silence for 30 s, more than 32 MB or more than 300 s.
    """
    request = urllib.request.Request(_ascii(url), headers=_headers(state))
    kind = SourceFault
    try:
        with _opener().open(request, timeout=SILENCE_S) as response:
            body = _body(name, url, response)
            headers = response.headers
            new = FeedState(headers.get("ETag"), headers.get("Last-Modified"))
            return Answer(response.url, body, headers.get("Content-Type", ""), new)
    except HTTPError as error:
        with error:
            if error.code == 304:
                return None
            reason = f"HTTP {error.code} {error.reason}"
            kind = SourceRefused if error.code == HTTPStatus.TOO_MANY_REQUESTS else SourceFault
    except URLError as error:
        reason = str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
    raise _fault(name, url, reason, kind)


def _body(name: str, url: str, response: HTTPResponse) -> bytes:
    body, end = bytearray(), time.monotonic() + DEADLINE_S
    expected = response.length
    if expected is not None and expected > MAX_BYTES:
        raise _fault(name, url, f"{expected >> 20} MB is too large for a feed")
    while block := response.read1(_BLOCK):
        body += block
        if len(body) > MAX_BYTES:
            raise _fault(name, url, f"more than {MAX_BYTES >> 20} MB is too large for a feed")
        if time.monotonic() > end:
            raise _fault(name, url, f"not all there after {DEADLINE_S} s")
    if expected is not None and len(body) < expected:
        raise _fault(name, url, f"cut short: {len(body)} of {expected} bytes")
    return bytes(body)


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https alone; the usual one also follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _headers(state: FeedState) -> dict[str, str]:
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"}
    if state.etag:
        headers["If-None-Match"] = state.etag
    if state.last_modified:
        headers["If-Modified-Since"] = state.last_modified
    return headers


def _ascii(url: str) -> str:
    parts = urlsplit(url)
    path, query = (quote(part, safe="/%:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _fault(name: str, url: str, reason: str, kind: type[SourceFault] = SourceFault) -> SourceFault:
    return kind(f"Source {name}: {shown(url)} cannot be had: {reason}.", "Correct it in sources.yaml, or wait.")
