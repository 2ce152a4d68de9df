"""A small web server on loopback for tests: pages, ranges, conditional requests, redirects and errors on demand."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server answers at one path; `status` other than 200 is sent with the body as it is."""

    body: bytes = b""
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True


@dataclass
class Site:
    """Pages by path, changed by tests as they go; `requests` logs (method, path, status) of every answer.

    `headers` holds those of the requests, in the same order. `before_answer` is called with the path before each
    answer, to hold one back or count what is in flight.
    """

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    before_answer: Callable[[str], None] = lambda _: None

    def add(self, path: str, body: bytes | str, content_type: str = "application/octet-stream", **more: object) -> str:
        """Serve `body` at `path` and return its URL."""
        content = body.encode() if isinstance(body, str) else body
        self.pages[path] = Page(content, content_type, **more)  # type: ignore[arg-type]
        return self.url + path


@contextmanager
def serving() -> Iterator[Site]:
    """Serve a `Site` on a free port of 127.0.0.1 until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    site = server.site = Site(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        site.before_answer(path)
        page = site.pages.get(path, Page(b"not here", "text/plain", 404))
        status, body, headers = self._response(page)
        site.requests.append((self.command, self.path, status))
        site.headers.append(dict(self.headers))
        self.send_response(status)
        for name, value in {"Content-Type": page.content_type, **headers, **page.headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in page.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _response(self, page: Page) -> tuple[int, bytes, dict[str, str]]:
        headers = {"Accept-Ranges": "bytes"}
        if page.status != 200:
            return page.status, page.body, headers
        if page.etag:
            headers["ETag"] = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return 304, b"", headers
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return 200, page.body, headers
        first, last = int(wanted[1]), min(int(wanted[2] or len(page.body) - 1), len(page.body) - 1)
        if first > last:
            return 416, b"", {**headers, "Content-Range": f"bytes */{len(page.body)}"}
        headers["Content-Range"] = f"bytes {first}-{last}/{len(page.body)}"
        return 206, page.body[first : last + 1], headers
