"""Embedding for several runs at once: what waits while a batch is computed makes up the next one."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Literal

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from ingestion_pipeline.embedding.embedder import InProcessEmbedder

Kind = Literal["document", "query"]
Vectors = NDArray[float32]


@dataclass(frozen=True, eq=False)
class _Asked:
    """Some texts for one model; `vectors` is their future."""

    embedder: InProcessEmbedder
    kind: Kind
    texts: Sequence[str]
    vectors: "Future[Vectors]" = field(default_factory=Future)


class Embedders:
    """Embedding models by name, loaded when first asked for; one thread serves them all.

    `texts` were embedded so far, in so many `batches`.
    """

    def __init__(self, device: str) -> None:
        self.texts = self.batches = 0
        self._device = device
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="embedders", daemon=True)
        self._thread.start()

    def embed(self, model: str, texts: Sequence[str], kind: Kind) -> "Future[Vectors]":
        """Return the future vectors (texts, dimensions); `ModelFault` comes out of it where the model does not load."""
        asked = _Asked(InProcessEmbedder(model, self._device), kind, texts)
        self._asked.put(asked)
        return asked.vectors

    def close(self) -> None:
        """End the thread, once all is done that was asked before."""
        self._asked.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while first := self._asked.get():
            together = defaultdict(list, {(first.embedder, first.kind): [first]})
            while not self._asked.empty():
                other = self._asked.get()
                if other is None:
                    self._asked.put(None)
                    break
                together[other.embedder, other.kind].append(other)
            for asked in together.values():
                self.texts += _embed(asked)
                self.batches += 1


def _embed(together: Sequence[_Asked]) -> int:
    """Embed the texts of several requests, of one model and kind, as one list; return how many it were."""
    waiting = [asked for asked in together if asked.vectors.set_running_or_notify_cancel()]
    texts = [text for asked in waiting for text in asked.texts]
    try:
        vectors = _vectors(together[0], texts)
    except Exception as error:  # noqa: BLE001 - raised in the threads that wait for it
        for asked in waiting:
            asked.vectors.set_exception(error)
        return 0
    ends = np.cumsum([len(asked.texts) for asked in waiting])
    for asked, part in zip(waiting, np.split(vectors, ends[:-1]) if waiting else [], strict=True):
        asked.vectors.set_result(part)
    return len(texts)


def _vectors(asked: _Asked, texts: Sequence[str]) -> Vectors:
    if asked.kind == "document":
        return asked.embedder.documents(texts)
    return np.stack([asked.embedder.query(text) for text in texts])
