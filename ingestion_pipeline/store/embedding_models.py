"""The embedding models whose vectors are stored; a search asks the active one."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row

from ingestion_pipeline.errors import Permanent

from .queries import queries

_SQL = queries("embedding_models")
MOST_DIMENSIONS = 4000
"""That pgvector can index as halfvec (https://github.com/pgvector/pgvector#hnsw)."""


@dataclass(frozen=True)
class EmbeddingModel:
    """A model as the database knows it; its vectors have `dimensions` numbers."""

    id: int
    name: str
    dimensions: int
    active: bool


def active_model(connection: Connection) -> EmbeddingModel | None:
    """Return the model that a search asks, None before anything is embedded."""
    with connection.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        return cursor.execute(_SQL["active"]).fetchone()


def model_named(connection: Connection, name: str) -> EmbeddingModel | None:
    """Return a model, None where it has embedded nothing."""
    with connection.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        return cursor.execute(_SQL["model"], (name,)).fetchone()


def all_models(connection: Connection) -> list[EmbeddingModel]:
    """Return every model, the oldest first."""
    with connection.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        return cursor.execute(_SQL["all"]).fetchall()


def have_model(connection: Connection, name: str, dimensions: int) -> EmbeddingModel:
    """Return a model, added where it is new, and then active where none is.

    Raises `Permanent` where its vectors had another length so far, or are too long for an index.
    """
    if dimensions > MOST_DIMENSIONS:
        raise Permanent(
            f"Embedding model {name} gives {dimensions} dimensions; at most {MOST_DIMENSIONS} can be indexed.",
            f"Set EMBEDDING_TRUNCATE_DIM={MOST_DIMENSIONS} or less, or another EMBEDDING_MODEL.",
        )
    model = model_named(connection, name) or _added(connection, name, dimensions)
    if model.dimensions != dimensions:
        raise Permanent(
            f"Embedding model {name} gives {dimensions} dimensions, the database holds it with {model.dimensions}.",
            "Give the changed model another name in EMBEDDING_MODEL.",
        )
    return model


def uncovered(connection: Connection, active: EmbeddingModel, wanted: EmbeddingModel | None) -> int:
    """Return how many passages a search finds by `active` and would not by `wanted`; None: a model to come."""
    values = {"active": active.id, "wanted": wanted.id if wanted else 0}
    row = connection.execute(_SQL["uncovered"], values).fetchone()
    return int(row[0]) if row else 0


def switch(connection: Connection, active: EmbeddingModel, wanted: EmbeddingModel) -> bool:
    """Make `wanted` the active model in the caller's transaction; False where it does not cover all any more.

    Nobody writes embeddings until the transaction ends.
    """
    connection.execute(_SQL["lock"])
    connection.execute(_SQL["lock_embeddings"])
    if uncovered(connection, active, wanted) > 0:
        return False
    connection.execute(_SQL["deactivate"])
    connection.execute(_SQL["activate"], (wanted.id,))
    return True


def delete_model(connection: Connection, model: EmbeddingModel) -> None:
    """Delete a model with all its vectors."""
    for query in ("delete_embeddings", "delete_fingerprints", "delete_model"):
        connection.execute(_SQL[query], (model.id,))


def _added(connection: Connection, name: str, dimensions: int) -> EmbeddingModel:
    connection.execute(_SQL["lock"])
    connection.execute(_SQL["add"], {"name": name, "dimensions": dimensions})
    model = model_named(connection, name)
    assert model is not None
    return model
