"""Search: the passages nearest to a query, and the sentences of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy import float32
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import Connection

from ingestion_pipeline.records import Passage, Segment, Video

from .catalogue import video_of
from .queries import queries

_SQL = queries("search")


@dataclass(frozen=True)
class Found:
    """A passage near a query, with its segments; `similarity` is the cosine, at most 1."""

    video: Video
    passage: Passage
    similarity: float
    segments: Sequence[Segment]


def nearest_passages(connection: Connection, model: str, query: NDArray[float32], limit: int) -> list[Found]:
    """Return the passages nearest to `query` (dimensions) among those embedded by `model`, best first."""
    register_vector(connection)
    values = {"query": HalfVector(query), "model": model, "limit": limit}
    rows = connection.execute(_SQL["nearest"], values).fetchall()
    return [_found(connection, *row) for row in rows]


def _found(connection: Connection, key: str, start: float, end: float, text: str, similarity: float) -> Found:
    rows = connection.execute(_SQL["sentences"], {"video": key, "start": start, "end": end})
    segments = [Segment(*row) for row in rows]
    return Found(video_of(connection, key), Passage(start, end, text), similarity, segments)
