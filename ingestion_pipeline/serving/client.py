"""A run's end of the model server: a recogniser and an embedder that hold no model."""

import base64
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from ingestion_pipeline.errors import ModelServerFault, ModelServerLeaves, Permanent
from ingestion_pipeline.records import Audio
from ingestion_pipeline.speech.recogniser import Recognition, WhisperConfig, fingerprint_of

from .config import ServerConfig, this_version
from .connection import ANSWER_S, Address, Gone, events_in
from .startup import LocalServer
from .wire import transcript_of

_PATIENCE = 5
"""Times in a row that a server may be gone before it began: one that was idle ends while it is being asked.

One that was at work on other videos does not count: it broke down over one of those.
"""
_TEXTS = 64
"""In one request: a large model on a small machine takes a second for each, and others wait meanwhile."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ModelServer:
    """The model server for a Whisper: that at `url` or, without one, this machine's, which starts when needed.

    One elsewhere that broke down over a video is waited for, for `restarted_s`: asked later, that would not be known.
    """

    config: ServerConfig
    folder: Path
    url: str | None = None
    key: str | None = field(default=None, repr=False)
    restarted_s: float = 60.0

    def address(self, patience_s: float = 0) -> Address:
        """Return where a server of this version answers; raise `ModelServerFault` where there is none.

        One elsewhere that does not answer is asked again for `patience_s`.
        """
        if self.url is None:
            local = LocalServer(self.config, self.folder)
            local.have()
            return local.address
        address, until = Address(self.url, self.key), time.monotonic() + patience_s
        while (version := self._version_at(address, last=time.monotonic() >= until)) is None:
            time.sleep(1)
        if version != this_version():
            raise ModelServerFault(
                f"The model server at {self.url} has version {version}, this is {this_version()}.",
                "Install the same version on both machines.",
            )
        return address

    def _version_at(self, address: Address, *, last: bool) -> str | None:
        """Return the version of a server, None where nobody answers, unless that was the `last` time to ask."""
        try:
            return str(address.ask("GET", "/healthz").get("version"))
        except Gone as gone:
            if not last:
                return None
            raise ModelServerFault(f"Nobody answers at {self.url} ({gone}).", "See MODEL_SERVER_URL.") from gone

    def running(self) -> bool:
        """Say whether this machine's server runs."""
        return LocalServer(self.config, self.folder).running()

    def end(self) -> None:
        """End the server of this machine when it has finished what it began; one elsewhere is left alone."""
        if self.url is None:
            LocalServer(self.config, self.folder).end()

    def ask(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Post JSON, again where the server was just ending; raises what it answers with."""
        for _ in range(_PATIENCE):
            try:
                return self.address().ask("POST", path, body, ANSWER_S)
            except (Gone, ModelServerLeaves) as error:
                gone = error
        raise ModelServerFault(f"The model server went away {_PATIENCE} times ({gone}).", "See its log.") from gone


@dataclass(frozen=True)
class ServedWhisper:
    """The recogniser that a model server is."""

    server: ModelServer

    @property
    def _config(self) -> WhisperConfig:
        return self.server.config.whisper

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on."""
        return fingerprint_of(self._config.model, audio, language)

    def transcribe(self, video: str, audio: Audio, language: str | None, log: Callable[[str], None]) -> Recognition:
        """Return the transcript; the thread sleeps while the server works.

        A server that breaks down meanwhile is asked once more, and one that only the network hid several times. Raises
        `Permanent` where it breaks down twice, or where audio or language are at fault; `ModelFault`,
        `ModelServerFault`, `QueueFull`.
        """
        crashes = gone = 0
        while crashes < 2 and gone < _PATIENCE:
            attempt = _Attempt(video, audio, language, log, suspect=crashes > 0)
            address = self.server.address(patience_s=self.server.restarted_s if crashes else 0)
            pid = address.pid()
            try:
                recognition = attempt.at(address, self._config.model)
            except (Gone, ModelServerLeaves) as error:
                crashes += attempt.began and isinstance(error, Gone) and address.pid() != pid
                gone = 0 if attempt.behind_others else gone + 1
                log(f"the model server has gone ({error}); another one is asked")
                continue
            transcript = replace(recognition.transcript, fingerprint=self.fingerprint(audio, language))
            return replace(recognition, transcript=transcript)
        if crashes < 2:
            raise ModelServerFault(f"The model server went away {gone} times.", "See its log, and the network.")
        raise Permanent(
            f"The model server broke down twice while it transcribed video {video}.",
            f"See its log in {self.server.folder}; the audio is {audio.path}.",
        )


class _Attempt:
    """One request for a transcript; afterwards, whether the server `began` to work on it, or was on others."""

    def __init__(
        self, video: str, audio: Audio, language: str | None, log: Callable[[str], None], *, suspect: bool
    ) -> None:
        self._video, self._audio, self._language, self._log = video, audio, language, log
        self._suspect = suspect
        self.behind_others = self.began = False

    def at(self, address: Address, model: str) -> Recognition:
        fields = {
            "model": model,
            "video": self._video,
            "duration": str(self._audio.duration_s),
            "language": self._language or "",
            "suspect": str(self._suspect),
            "stream": "true",
            "progress": "true",
        }
        body, headers = self._upload(fields) if address.socket_path is None else self._path(fields)
        with address.request("POST", "/v1/audio/transcriptions", body, headers) as response:
            for event in events_in(response):
                if event["type"] == "transcript.text.done":
                    return Recognition(transcript_of(event, model), event["work_s"], event["usage"])
                self._take(event)
        raise Gone("its answer was not whole")

    def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "transcript.began":
            self.began, self.behind_others = True, False
            for warning in event["warnings"]:
                self._log(f"model server: {warning}")
        elif event["type"] == "transcript.progress":
            self.behind_others = not self.began and event["figures"]["videos_active"] > 0
            self._log(event["message"])

    def _path(self, fields: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        body = urlencode({**fields, "path": str(self._audio.path.resolve())}).encode()
        return body, {"Content-Type": "application/x-www-form-urlencoded"}

    def _upload(self, fields: dict[str, str]) -> tuple[Iterator[bytes], dict[str, str]]:
        """Return a multipart form (RFC 7578) that reads the file while it is sent."""
        mark = uuid.uuid4().hex
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="audio"\r\n\r\n')
        head, tail = "".join(parts).encode(), f"\r\n--{mark}--\r\n".encode()
        length = len(head) + self._audio.path.stat().st_size + len(tail)
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}", "Content-Length": str(length)}
        return self._blocks(head, tail), headers

    def _blocks(self, head: bytes, tail: bytes) -> Iterator[bytes]:
        yield head
        with self._audio.path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
        yield tail


class ServedEmbedder:
    """The embedder that a model server is."""

    def __init__(self, server: ModelServer, model: str) -> None:
        self.server, self.model = server, model
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        """Return the length of a vector; the server is asked where none has been seen yet."""
        return self._dimensions or len(self.query("dimensions"))

    def documents(self, texts: Sequence[str]) -> NDArray[float32]:
        """Return the vectors (texts, dimensions) of texts to be found."""
        starts = range(0, len(texts), _TEXTS)
        parts = [self._vectors(texts[start : start + _TEXTS], "document") for start in starts]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimensions), float32)

    def query(self, text: str) -> NDArray[float32]:
        """Return the vector (dimensions) of a text to find with."""
        vector: NDArray[float32] = self._vectors([text], "query")[0]
        return vector

    def of(self, model: str) -> "ServedEmbedder":
        """Return the embedder of another model, on the same server."""
        return ServedEmbedder(self.server, model)

    def _vectors(self, texts: Sequence[str], kind: str) -> NDArray[float32]:
        asked = {"model": self.model, "input": list(texts), "input_type": kind, "encoding_format": "base64"}
        answer = self.server.ask("/v1/embeddings", asked)
        vectors = np.stack([np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in answer["data"]])
        self._dimensions = vectors.shape[1]
        return vectors
