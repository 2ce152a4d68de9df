"""What a model server holds: the models, what is looked at, and who is being served."""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import NoReturn

from ingestion_pipeline.embedding.embedder import loaded_models
from ingestion_pipeline.errors import ModelServerLeaves, QueueFull
from ingestion_pipeline.speech.decoding import Decoding
from ingestion_pipeline.speech.heap import keep_freed_memory
from ingestion_pipeline.speech.resident import ResidentWhisper
from ingestion_pipeline.speech.scheduler import Job

from .config import ServerConfig
from .embedders import Embedders
from .telemetry import Telemetry

_LOG = logging.getLogger(__name__)
_QUEUE = 256
"""Transcriptions at once, those that wait included; twice the most that IO_WORKERS allows."""


@dataclass(frozen=True)
class Limits:
    """Who may ask for what: an API key that is wanted, the largest upload (bytes), the longest queue.

    `last_s` is what videos that were begun get to be finished after SIGTERM.
    """

    key: str | None = field(default=None, repr=False)
    upload_bytes: int = 2_048_000_000
    queue: int = _QUEUE
    last_s: int = 120


class Service:
    """The state of a server; `decoding` is for benchmarks."""

    def __init__(self, config: ServerConfig, limits: Limits, decoding: Decoding | None = None) -> None:
        keep_freed_memory()
        self.config, self.limits = config, limits
        self.whisper = ResidentWhisper(config.whisper, decoding)
        self.embedders = Embedders(config.whisper.device, self._decoding)
        self.telemetry = Telemetry()
        self.warnings = _Warnings()
        self.threads = ThreadPoolExecutor(limits.queue, "transcription")
        self._waiting: set[Job] = set()
        self._served = 0
        self._quiet_since = monotonic()
        self._leaving = False

    @property
    def loads(self) -> dict[str, int]:
        """How many times each model was loaded."""
        whisper = {self.config.whisper.model: 1} if self.whisper.engine else {}
        return whisper | dict(loaded_models())

    def _decoding(self) -> bool:
        _, active, _ = self.whisper.engine.waiting if self.whisper.engine else (0, 0, 0)
        return active > 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Count a request; raise `QueueFull` or `ModelServerLeaves` where it cannot be served."""
        if self._leaving:
            raise ModelServerLeaves("The model server is about to end.", "Ask again; another one will serve.")
        if self._served >= self.limits.queue:
            raise QueueFull(
                f"{self._served} requests wait at the model server, and that is its limit.", "Try again later."
            )
        self._served += 1
        try:
            yield
        finally:
            self._served -= 1
            self._quiet_since = monotonic()

    @property
    def quiet_s(self) -> float:
        """For how long nobody has asked for anything."""
        return 0.0 if self._served else monotonic() - self._quiet_since

    @contextmanager
    def may_wait(self, job: Job) -> Iterator[None]:
        """Know of a job that has not begun, which `leave` sends away."""
        self._waiting.add(job)
        try:
            yield
        finally:
            self.began(job)

    def began(self, job: Job) -> None:
        """Note that a job's turn has come: it is finished even if the server is about to end."""
        self._waiting.discard(job)

    def leave(self) -> None:
        """Take nothing new, and send away who waits."""
        self._leaving = True
        for job in tuple(self._waiting):
            self.whisper.cancel(job)

    @property
    def leaving(self) -> bool:
        """Whether the server takes nothing new."""
        return self._leaving

    def close(self) -> None:
        """End all threads."""
        self.threads.shutdown()
        self.whisper.close()
        self.embedders.close()
        self.telemetry.close()


def end_at_once(reason: str) -> NoReturn:
    """End a process whose GPU has failed: nothing that it does could succeed. Its clients ask the next one."""
    _LOG.critical("%s The server ends.", reason)
    os._exit(1)


class _Warnings(logging.Handler):
    """Warnings of our own, kept until a run takes them into its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._held: list[str] = []
        logging.getLogger("ingestion_pipeline").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._held.append(record.getMessage())

    def taken(self) -> list[str]:
        """Return what nobody has taken yet."""
        held, self._held = self._held, []
        return held
