"""Passages of videos and their embeddings: what did not change is not written again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy import float32
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.rows import class_row

from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.records import Passage

from .queries import queries

_SQL = queries("embeddings")


@dataclass(frozen=True)
class EmbeddedAs:
    """What the embeddings of a video were made from, and the length of a vector."""

    fingerprint: str
    dimensions: int


def text_hash(passage: Passage) -> bytes:
    """Return the hash of a passage's text, by which a change is known."""
    return hashlib.sha256(passage.text.encode()).digest()


def embedded_as(connection: Connection, model: str, video: str) -> EmbeddedAs | None:
    """Return how a video was embedded by this model, None where it was not."""
    with connection.cursor(row_factory=class_row(EmbeddedAs)) as cursor:
        return cursor.execute(_SQL["embedded_as"], {"model": model, "video": video}).fetchone()


def stored_hashes(connection: Connection, model: str, video: str) -> dict[int, bytes]:
    """Return the hash of each embedded text of a video, by its index."""
    return dict(connection.execute(_SQL["hashes"], {"model": model, "video": video}).fetchall())


def stored_figures(connection: Connection, model: str, video: str) -> tuple[int, int, float, float]:
    """Return how many vectors of this model a video has, their dimensions, their smallest and their largest norm."""
    row = connection.execute(_SQL["figures"], {"model": model, "video": video}).fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


def passages_stored(connection: Connection, video: str) -> int:
    """Return how many passages a video has."""
    row = connection.execute(_SQL["passages_stored"], (video,)).fetchone()
    assert row is not None
    return int(row[0])


def model_id(connection: Connection, name: str, dimensions: int) -> int:
    """Return the id of an embedding model, added where it is new; raise `Permanent` where its dimension changed."""
    connection.execute(_SQL["add_model"], {"name": name, "dimensions": dimensions})
    row = connection.execute(_SQL["model"], (name,)).fetchone()
    assert row is not None
    if row[1] != dimensions:
        raise Permanent(
            f"Embedding model {name} gives {dimensions} dimensions, the database holds it with {row[1]}.",
            "Give the changed model another name in EMBEDDING_MODEL.",
        )
    return int(row[0])


def save_embeddings(
    connection: Connection,
    model: int,
    video: str,
    passages: Sequence[Passage],
    vectors: Mapping[int, NDArray[float32]],
    fingerprint: str,
) -> None:
    """Replace the passages of a video, and the embeddings of those in `vectors` (by index); the others are kept.

    The passages are the video's own: another model that embedded others has to do so again.
    """
    register_vector(connection)
    kept = [index for index in range(len(passages)) if index not in vectors]
    connection.execute(_SQL["delete_passages"], (video,))
    connection.execute(_SQL["delete_embeddings"], {"model": model, "video": video, "kept": kept})
    with connection.cursor() as cursor:
        with cursor.copy(_SQL["copy_passages"]) as copy:
            copy.set_types(["text", "int4", "float8", "float8", "text", "bytea"])
            for index, passage in enumerate(passages):
                copy.write_row((video, index, passage.start, passage.end, passage.text, text_hash(passage)))
        with cursor.copy(_SQL["copy_embeddings"]) as copy:
            copy.set_types(["int2", "text", "int4", "bytea", "halfvec"])
            for index, vector in vectors.items():
                copy.write_row((model, video, index, text_hash(passages[index]), HalfVector(vector)))
    made_from = {"model": model, "video": video, "fingerprint": fingerprint}
    connection.execute(_SQL["forget_other_fingerprints"], made_from)
    connection.execute(_SQL["save_fingerprint"], made_from)
