"""Passages of videos and their embeddings: what did not change is not written again."""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from numpy import float32
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.rows import class_row

from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.records import Passage

from .embedding_models import EmbeddingModel
from .queries import queries

_SQL = queries("embeddings")
Vector = NDArray[float32]


@dataclass(frozen=True)
class EmbeddedAs:
    """What the embeddings of a video were made from, and the length of a vector."""

    fingerprint: str
    dimensions: int


@dataclass(frozen=True)
class StoredText:
    """The text of a stored passage."""

    video: str
    idx: int
    text_hash: bytes
    text: str


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


def save_embeddings(
    connection: Connection,
    model: EmbeddingModel,
    video: str,
    passages: Sequence[Passage],
    vectors: Mapping[int, Vector],
    fingerprint: str,
    language: str,
) -> None:
    """Replace the passages of a video, and the embeddings of those in `vectors` (by index); the others are kept.

    The passages are the video's own: another model that embedded others has to do so again. Raises `Permanent` where a
    vector has not the model's length.
    """
    kept = [index for index in range(len(passages)) if index not in vectors]
    connection.execute(_SQL["delete_passages"], (video,))
    connection.execute(_SQL["delete_embeddings"], {"model": model.id, "video": video, "kept": kept})
    hashes = [text_hash(passage) for passage in passages]
    with connection.cursor() as cursor, cursor.copy(_SQL["copy_passages"]) as copy:
        copy.set_types(["text", "int4", "float8", "float8", "text", "bytea", "text"])
        for index, (passage, hashed) in enumerate(zip(passages, hashes, strict=True)):
            copy.write_row((video, index, passage.start, passage.end, passage.text, hashed, language))
    _copy(connection, model, video, ((index, hashes[index], vector) for index, vector in vectors.items()))
    made_from = {"model": model.id, "video": video, "fingerprint": fingerprint}
    connection.execute(_SQL["forget_other_fingerprints"], made_from)
    connection.execute(_SQL["save_fingerprint"], made_from)


def videos_lacking(connection: Connection, model: EmbeddingModel | None) -> dict[str, int]:
    """Return the videos with passages that a model has not embedded, and of each how many; None: a model to come."""
    return dict(connection.execute(_SQL["lacking"], {"model": model.id if model else 0}).fetchall())


def texts_lacking(connection: Connection, model: EmbeddingModel | None, videos: Sequence[str]) -> list[StoredText]:
    """Return the stored passages of some videos that a model has not embedded."""
    values = {"model": model.id if model else 0, "videos": list(videos)}
    with connection.cursor(row_factory=class_row(StoredText)) as cursor:
        return cursor.execute(_SQL["texts_lacking"], values).fetchall()


def add_embeddings(
    connection: Connection, model: EmbeddingModel, video: str, vectors: Iterable[tuple[StoredText, Vector]]
) -> None:
    """Add embeddings of stored passages of a video.

    One that was replaced meanwhile is left out: it is lacking still, or has a vector of what it now says.
    """
    stand: dict[int, bytes] = dict(connection.execute(_SQL["passage_hashes"], (video,)).fetchall())
    added = [(said, vector) for said, vector in vectors if stand.get(said.idx) == said.text_hash]
    values = {"model": model.id, "video": video, "indices": [said.idx for said, _ in added]}
    connection.execute(_SQL["delete_outdated"], values)
    _copy(connection, model, video, ((said.idx, said.text_hash, vector) for said, vector in added))
    take_over_fingerprints(connection, model, [video])


def videos_without_fingerprint(connection: Connection, model: EmbeddingModel) -> list[str]:
    """Return the videos that count as embedded by another model and not by this one."""
    return [video for (video,) in connection.execute(_SQL["fingerprints_lacking"], (model.id,))]


def take_over_fingerprints(connection: Connection, model: EmbeddingModel, videos: Sequence[str]) -> None:
    """Let those videos count as embedded of which the model lacks no passage: from what another model embedded."""
    connection.execute(_SQL["take_over_fingerprints"], {"model": model.id, "videos": list(videos)})


def fingerprints(connection: Connection, model: EmbeddingModel) -> dict[str, str]:
    """Return what each video was embedded from by a model."""
    return dict(connection.execute(_SQL["fingerprints"], (model.id,)).fetchall())


def _copy(connection: Connection, model: EmbeddingModel, video: str, rows: Iterable[tuple[int, bytes, Vector]]) -> None:
    head = struct.pack(">HH", model.dimensions, 0)  # what pgvector's `halfvec_recv` reads before the numbers
    with connection.cursor() as cursor, cursor.copy(_SQL["copy_embeddings"]) as copy:
        copy.set_types(["int2", "text", "int4", "bytea", "bytea"])
        for index, hashed, vector in rows:
            if len(vector) != model.dimensions:
                raise Permanent(
                    f"Video {video}: model {model.name} gave {len(vector)} dimensions in place of {model.dimensions}.",
                    "Is it the same model? Nothing was written.",
                )
            copy.write_row((model.id, video, index, hashed, head + vector.astype(">f2").tobytes()))
