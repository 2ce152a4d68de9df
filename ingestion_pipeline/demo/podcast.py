"""Serves the demonstration podcast on loopback: a feed, and an Opus file for each episode."""

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from . import EPISODES

_FIRST = datetime(2026, 1, 5, 6, tzinfo=UTC)
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"


@contextmanager
def podcast(episodes: Sequence[Path] = EPISODES) -> Iterator[str]:
    """Give the address of a feed while it is served; the episodes, with what is said of them, lie in one folder."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, episodes, directory=str(episodes[0].parent)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/feed.xml"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def feed(address: str, episodes: Sequence[Path]) -> bytes:
    """Return the RSS feed of the episodes, one a week, whose files are under `address`."""
    ET.register_namespace("itunes", _ITUNES)
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    ET.SubElement(channel, "title").text = "The demonstration podcast"
    ET.SubElement(channel, "link").text = f"{address}/"
    ET.SubElement(channel, "description").text = "Short stories in the vocabulary of demo-en."
    ET.SubElement(channel, "language").text = "en"
    for week, episode in enumerate(episodes):
        channel.append(_item(address, episode, _FIRST + timedelta(weeks=week)))
    return bytes(ET.tostring(rss, encoding="utf-8", xml_declaration=True))


def _item(address: str, episode: Path, published: datetime) -> ET.Element:
    about = json.loads(episode.with_suffix(".json").read_text())
    item = ET.Element("item")
    ET.SubElement(item, "title").text = about["title"]
    ET.SubElement(item, "guid", isPermaLink="false").text = f"urn:ingestion-pipeline:demo:{episode.stem}"
    ET.SubElement(item, "pubDate").text = format_datetime(published)
    ET.SubElement(item, f"{{{_ITUNES}}}duration").text = str(round(about["duration_s"]))
    size = str(episode.stat().st_size)
    ET.SubElement(item, "enclosure", url=f"{address}/{episode.name}", length=size, type="audio/ogg")
    return item


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about a client that leaves in the middle, as yt-dlp does after a look at the beginning."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {".opus": "audio/ogg", ".json": "application/json"}  # noqa: RUF012 - the standard library's shape

    def __init__(self, episodes: Sequence[Path], *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - handed on
        self._episodes = episodes
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        """Answer with the feed or a file."""
        if self.path != "/feed.xml":
            return super().do_GET()
        body = feed(f"http://{self.headers['Host']}", self._episodes)
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
