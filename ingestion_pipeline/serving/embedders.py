"""Embedding for several runs at once: what waits while a batch is computed makes up the next one, short ones first."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Condition, Thread
from typing import Literal

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from ingestion_pipeline.embedding.embedder import InProcessEmbedder, use_one_core
from ingestion_pipeline.errors import ModelFault

Kind = Literal["document", "query"]
Vectors = NDArray[float32]
_MOST_TEXTS = 256
"""In a batch of several requests: a person who asks a question waits for one to end."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """Some texts for one model; `vectors` is their future."""

    embedder: InProcessEmbedder
    kind: Kind
    texts: Sequence[str]
    vectors: "Future[Vectors]" = field(default_factory=Future)


class Embedders:
    """Embedding models by name, loaded when first asked for; one thread serves them all.

    `texts` were embedded so far, in so many `batches`. While `decoding` says so, they are computed on one core: torch's
    threads wait for one another after each operation, which beside decode workers takes twice as long.
    """

    def __init__(self, device: str, decoding: Callable[[], bool]) -> None:
        self.texts = self.batches = 0
        self._device, self._decoding = device, decoding
        self._asked: list[_Asked] = []
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._serve, name="embedders", daemon=True)
        self._thread.start()

    def embed(self, model: str, texts: Sequence[str], kind: Kind) -> "Future[Vectors]":
        """Return the future vectors (texts, dimensions); `ModelFault` comes out of it where the model does not load."""
        asked = _Asked(InProcessEmbedder(model, self._device), kind, texts)
        with self._changed:
            self._asked.append(asked)
            self._changed.notify()
        return asked.vectors

    def close(self) -> None:
        """End the thread, once all is done that was asked before."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        while together := self._next():
            self._embed(together)

    def _next(self) -> list[_Asked]:
        """Wait for a request; return it with others of its model and kind. Empty when closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._closed)
            if not self._asked:
                return []
            shortest_first = sorted(self._asked, key=lambda asked: len(asked.texts))  # questions, a search's sentences
            first = shortest_first[0]
            alike = [asked for asked in shortest_first if (asked.embedder, asked.kind) == (first.embedder, first.kind)]
            ends = accumulate(len(asked.texts) for asked in alike)
            together = [one for one, end in zip(alike, ends, strict=True) if one is first or end <= _MOST_TEXTS]
            self._asked = [asked for asked in self._asked if asked not in together]
            return together

    def _embed(self, together: Sequence[_Asked]) -> None:
        """Embed the texts of several requests, of one model and kind, for those who still wait."""
        if waiting := [asked for asked in together if asked.vectors.set_running_or_notify_cancel()]:
            self._answer(waiting)

    def _answer(self, waiting: Sequence[_Asked]) -> None:
        """Embed all texts as one list; where that fails, each alone, so that only who is at fault learns of it."""
        texts = [text for asked in waiting for text in asked.texts]
        try:
            use_one_core(self._decoding())
            vectors = _vectors(waiting[0], texts)
        except Exception as error:  # noqa: BLE001 - raised in the threads that wait for it
            if len(waiting) == 1 or isinstance(error, ModelFault):
                for asked in waiting:
                    asked.vectors.set_exception(error)
                return
        else:
            self.texts += len(texts)
            self.batches += 1
            ends = np.cumsum([len(asked.texts) for asked in waiting])
            for asked, part in zip(waiting, np.split(vectors, ends[:-1]), strict=True):
                asked.vectors.set_result(part)
            return
        for asked in waiting:
            self._answer([asked])


def _vectors(asked: _Asked, texts: Sequence[str]) -> Vectors:
    if asked.kind == "document":
        return asked.embedder.documents(texts)
    return np.stack([asked.embedder.query(text) for text in texts])
