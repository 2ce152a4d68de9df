"""Downloads of one episode, as the pipeline asks for them, and a server that breaks off."""

import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion_pipeline.audio import fetch_audio
from ingestion_pipeline.audio.ytdlp import DIRECT, Access
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import Breaker, IngestionError, Transient
from ingestion_pipeline.records import Audio, Video

OPUS = EPISODES[0].read_bytes()
SHA256 = hashlib.sha256(OPUS).hexdigest()


def episode(url: str, key: str = "pod-1", **more: str) -> Video:
    return replace(Video(key, "pod", "feed", "1", url, url, "An episode"), **more)


def fetch(
    video: Video,
    folder: Path,
    *,
    max_bytes: int = 10_000_000,
    allow_private: bool = True,
    access: Access = DIRECT,
    progress: Callable[[str], None] = lambda _: None,
) -> Audio:
    return fetch_audio(
        video, folder, max_bytes=max_bytes, allow_private=allow_private, access=access, progress=progress
    )


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(site_url: str, folder: Path, kind: type[IngestionError], **more: int) -> IngestionError:
    """Fetch, expect an error of just this kind that names the video and a remedy, and nothing half-written."""
    with pytest.raises(IngestionError) as caught:
        fetch(episode(site_url), folder, **more)
    assert type(caught.value) is kind, caught.value
    assert "pod-1" in caught.value.what
    assert caught.value.remedy
    assert [name for name in left_in(folder) if not name.startswith(".partial/")] == []
    if not isinstance(caught.value, Transient | Breaker):
        assert left_in(folder) == []
    return caught.value


def parts_in(folder: Path) -> list[str]:
    """Return the names of the folders of downloads that were begun."""
    return [path.name for path in (folder / ".partial").iterdir()]


class raw_server(closing[socket.socket]):  # noqa: N801 - a context manager
    """Answer every connection with the same bytes, and close it."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.server = answer, socket.create_server(("127.0.0.1", 0))
        super().__init__(self.server)

    def __enter__(self) -> str:  # type: ignore[override]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.getsockname()[1]}/1.opus"

    def __exit__(self, *error: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        super().__exit__(*error)

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                client.recv(65_536)
                try:
                    client.sendall(self.answer)
                except ConnectionError:
                    continue
