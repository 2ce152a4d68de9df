"""The index of an embedding model: when it is worth having, how it is built, how well it finds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import psycopg
from pgvector import HalfVector
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from ingestion_pipeline.errors import DiskFull

from .database import Database
from .embedding_models import EmbeddingModel
from .queries import queries
from .search import EXACT_UNDER, by_meaning

_SQL = queries("indexes")
NEIGHBOURS, _SAMPLES = 10, 50
_BYTES_OF_A_LINK = 300
"""That a passage takes in the graph besides its vector, at m = 16."""
_LOCK = 4
"""Namespace of advisory locks, beside those of `database`."""


@dataclass(frozen=True)
class Index:
    """How passages of a model are searched: `size` (bytes) and `build_s` of its index are None where it has none."""

    passages: int
    size: int | None
    build_s: float | None


def index_of(connection: Connection, model: EmbeddingModel) -> Index:
    """Return what the index of a model is; one whose build was broken off counts as none."""
    passages = connection.execute(_SQL["passages"], (model.id,)).fetchone() or (0,)
    valid, size, build_s = _state(connection, model)
    return Index(passages[0], size if valid else None, build_s if valid else None)


def have_index(
    database: Database, model: EmbeddingModel, log: Callable[[str], None], *, exact_under: int = EXACT_UNDER
) -> Index:
    """Build the index of a model that lacks it and has `exact_under` passages; searches and writes go on meanwhile.

    Raises `DiskFull` where the server has no room, which may be in its shared memory.
    """
    with database.connection(autocommit=True) as connection, _alone(connection):
        index = index_of(connection, model)
        if index.size is None and index.passages >= exact_under:
            log(f"builds the index of {model.name} over {index.passages} passages")
            _build(connection, model, index.passages)
            index = index_of(connection, model)
            log(f"built in {index.build_s:.1f} s: {(index.size or 0) / 1e6:.0f} MB")
        return index


def drop_index(database: Database, model: EmbeddingModel) -> None:
    """Drop the index of a model where it has one; searches and writes go on meanwhile."""
    with database.connection(autocommit=True) as connection, _alone(connection):
        connection.execute(_composed("drop", model))


def recall(connection: Connection, model: EmbeddingModel, samples: int = _SAMPLES) -> float:
    """Return which part of the ten nearest passages a search finds (1.0 without an index), asked with stored vectors.

    A passage itself, which is nearest to its own vector, does not count.
    """
    sampled = connection.execute(_SQL["sample"], {"model": model.id, "count": samples}).fetchall()
    found = wanted = 0
    for video, idx, vector in sampled:
        query = HalfVector.from_text(vector).to_numpy().astype(np.float32)
        near, nearest = (
            set(by_meaning(connection, model, query, NEIGHBOURS + 1, exact=exact)) - {(video, idx)}
            for exact in (False, True)
        )
        found, wanted = found + len(near & nearest), wanted + len(nearest)
    return found / wanted if wanted else 1.0


def _build(connection: Connection, model: EmbeddingModel, passages: int) -> None:
    started = time.monotonic()
    connection.execute(_composed("drop", model))
    connection.execute("select set_config('maintenance_work_mem', %s, false)", (_memory_for(passages, model),))
    try:
        connection.execute(_composed("create", model))
    except psycopg.errors.DiskFull as error:
        raise DiskFull(
            f"The index of {model.name} cannot be built: {error}.",
            "Give the database server more disk or, where it names shared memory, more of that (docker: --shm-size).",
        ) from None
    seconds = time.monotonic() - started
    connection.execute(_SQL["note_build"], {"seconds": seconds, "model": model.id})


def _memory_for(passages: int, model: EmbeddingModel) -> str:
    """Return what `maintenance_work_mem` has to be for the whole graph, at most a quarter of this machine's memory.

    A graph that does not fit is built several times as slowly. 64 MB are the server's default.
    """
    graph = passages * (2 * model.dimensions + _BYTES_OF_A_LINK) * 3 // 2
    most = psutil.virtual_memory().total // 4
    return f"{max(64, min(graph, most) // 2**20)}MB"


def _state(connection: Connection, model: EmbeddingModel) -> tuple[bool | None, int | None, float | None]:
    row = connection.execute(_SQL["state"], {"index": _name(model), "model": model.id}).fetchone()
    return row or (None, None, None)


def _composed(query: str, model: EmbeddingModel) -> Composed:
    return SQL(_SQL[query]).format(
        index=Identifier(_name(model)), dimensions=Literal(model.dimensions), model=Literal(model.id)
    )


def _name(model: EmbeddingModel) -> str:
    return f"embeddings_hnsw_{model.id}"


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the lock on indexes, until the connection ends.

    Not waited for in PostgreSQL: a statement that waits is one that a concurrent build would wait for in turn.
    """
    while connection.execute(_SQL["try_lock"], (_LOCK,)).fetchone() != (True,):
        time.sleep(0.5)
    yield
