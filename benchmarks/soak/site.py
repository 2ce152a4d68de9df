"""A podcast whose server has moods: 404, 429, 503, answers that are cut or never go on."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from .moods import GONE, Episode

_STATUS = {"unavailable": 503, "refuses": 429, GONE: 404}
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Site:
    """The feed's address, and how many requests were answered for each path."""

    def __init__(self, address: str, episodes: Sequence[Episode], recordings: Sequence[bytes]) -> None:
        self.address, self.recordings = address, recordings
        self.episodes = {f"/{episode.name}.opus": episode for episode in episodes}
        self.requests = Counter[str]()
        self.ends = threading.Event()
        self._lock = threading.Lock()

    def mood(self, path: str) -> str:
        """Return how the next request for a path fares; count it."""
        with self._lock:
            moods, asked = self.episodes[path].moods, self.requests[path]
            self.requests[path] += 1
        return GONE if GONE in moods else moods[asked] if asked < len(moods) else ""

    def feed(self) -> bytes:
        """Return the RSS feed."""
        items = "".join(_item(self.address, number, path) for number, path in enumerate(self.episodes))
        return f'<rss version="2.0"><channel><title>Soak</title><language>en</language>{items}</channel></rss>'.encode()


@contextmanager
def serving(episodes: Sequence[Episode], recordings: Sequence[bytes]) -> Iterator[Site]:
    """Serve the podcast on loopback until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    site = server.site = Site(f"http://127.0.0.1:{server.server_address[1]}", episodes, recordings)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.ends.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _item(address: str, number: int, path: str) -> str:
    name, published = escape(path.strip("/")), format_datetime(_FIRST + timedelta(hours=number))
    return (
        f'<item><title>{name}</title><guid isPermaLink="false">urn:soak:episode:{name}</guid>'
        f'<pubDate>{published}</pubDate><enclosure url="{address}{path}" length="0" type="audio/ogg"/></item>'
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that leave in the middle: killed ones, and yt-dlp after a look at the beginning."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the feed or, as its mood is, with an episode."""
        site: Site = self.server.site  # type: ignore[attr-defined]
        if self.path == "/feed.xml":
            return self._send(200, site.feed(), "application/rss+xml")
        mood = site.mood(self.path)
        if status := _STATUS.get(mood):
            return self._send(status, b"not now", "text/plain")
        return self._send_part(site, site.recordings[site.episodes[self.path].recording], mood)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _send_part(self, site: Site, body: bytes, mood: str) -> None:
        """Send an episode whole or, in two moods, a third of it."""
        self.send_response(200)
        self.send_header("Content-Type", "audio/ogg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 3] if mood else body)
        if mood == "stalls":
            site.ends.wait()
        if mood:
            self.close_connection = True

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
