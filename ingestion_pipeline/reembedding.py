"""A change of the embedding model: the new one's vectors are filled in beside the old one's, then the search switches.

Each step can be broken off anywhere; the next call goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from .embedding.embedder import Embedder
from .store import embeddings, indexes
from .store.database import Database
from .store.embedding_models import (
    EmbeddingModel,
    active_model,
    all_models,
    delete_model,
    have_model,
    model_named,
    switch,
    uncovered,
)
from .store.search import EXACT_UNDER

LEAST_RECALL = 0.95
_VIDEOS_AT_ONCE = 16
"""Whose passages are embedded together, and found in the database afterwards whatever happens."""
Log = Callable[[str], None]


@dataclass(frozen=True)
class Upkeep:
    """How searches stand: the active model and its index; `uncovered` passages keep the wanted one from its turn."""

    active: EmbeddingModel
    index: indexes.Index
    recall: float
    uncovered: int

    def described(self) -> dict[str, str | int | float]:
        """Return it as plain values: bytes, seconds, counts."""
        return {
            "model": self.active.name,
            "passages": self.index.passages,
            "recall_at_10": round(self.recall, 4),
            "index": "HNSW" if self.index.size else "none: an exact scan",
            "index_bytes": self.index.size or 0,
            "index_build_s": round(self.index.build_s or 0.0, 1),
            "passages_not_in_wanted_model": self.uncovered,
        }


def reembed(database: Database, embedder: Embedder, log: Log) -> int:
    """Embed what a model lacks of the stored passages, and return how many; no audio and no transcript is touched."""
    with database.connection() as connection:
        lacking = embeddings.videos_lacking(connection, model_named(connection, embedder.model))
    keys, total, done, started = list(lacking), sum(lacking.values()), 0, time.monotonic()
    for start in range(0, len(keys), _VIDEOS_AT_ONCE):
        done += _embed(database, embedder, keys[start : start + _VIDEOS_AT_ONCE])
        rate = done / (time.monotonic() - started)
        log(f"{done} of {total} passages, {rate:.0f} a second")
    with database.writing() as connection:
        if model := model_named(connection, embedder.model):
            unspoken = embeddings.videos_without_fingerprint(connection, model)
            embeddings.take_over_fingerprints(connection, model, unspoken)
    return done


def keep_up(database: Database, wanted: str, log: Log, *, exact_under: int = EXACT_UNDER) -> Upkeep | None:
    """Have the index that a search needs, and switch to the wanted model once it covers all and finds well.

    Returns None before anything is embedded.
    """
    with database.connection() as connection:
        active, model = active_model(connection), model_named(connection, wanted)
        missing = uncovered(connection, active, model) if active else 0
    if active and model and not model.active and missing == 0:
        active = _switched(database, active, model, log, exact_under)
    if active is None:
        return None
    index = indexes.have_index(database, active, log, exact_under=exact_under)
    with database.connection() as connection:
        return Upkeep(active, index, indexes.recall(connection, active), missing)


def reason_to_keep_up(database: Database, wanted: str) -> str | None:
    """Return why `keep_up` is worth a call, None where passages are few and the wanted model is the active one."""
    with database.connection() as connection:
        active = active_model(connection)
        if active is None:
            return None
        if active.name != wanted:
            return "another model is wanted"
        many = indexes.index_of(connection, active).passages >= EXACT_UNDER
        return "there are passages enough for an index" if many else None


def drop_active_index(database: Database) -> None:
    """Drop the index that searches use, so that it is built anew; they take longer until then."""
    with database.connection() as connection:
        active = active_model(connection)
    if active:
        indexes.drop_index(database, active)


def drop_others(database: Database, log: Log) -> list[str]:
    """Delete the vectors and indexes of all models but the active one, and return their names."""
    with database.connection() as connection:
        others = [model for model in all_models(connection) if not model.active]
    for model in others:
        indexes.drop_index(database, model)
        with database.writing() as connection:
            delete_model(connection, model)
        log(f"dropped {model.name}")
    return [model.name for model in others]


def _switched(
    database: Database, active: EmbeddingModel, wanted: EmbeddingModel, log: Log, exact_under: int
) -> EmbeddingModel:
    """Return the model that is active now: the wanted one, if its index finds well.

    One that finds badly is dropped: built anew, over other rows in another order, it may find better.
    """
    indexes.have_index(database, wanted, log, exact_under=exact_under)
    with database.connection() as connection:
        recall = indexes.recall(connection, wanted)
    if recall < LEAST_RECALL:
        indexes.drop_index(database, wanted)
        log(
            f"searches go on with {active.name}: recall by {wanted.name} is {recall:.3f}, under {LEAST_RECALL};"
            " its index is dropped, and the next `ingest reembed` or night builds it anew"
        )
        return active
    with database.writing() as connection:
        switched = switch(connection, active, wanted)
    log(f"searches now ask {wanted.name}" if switched else f"{wanted.name} lacks passages that came in just now")
    return wanted if switched else active


def _embed(database: Database, embedder: Embedder, keys: list[str]) -> int:
    """Embed what is lacking of some videos together, and write each video in a transaction of its own."""
    with database.connection() as connection:
        texts = embeddings.texts_lacking(connection, model_named(connection, embedder.model), keys)
    vectors = embedder.documents([said.text for said in texts])
    for key, rows in groupby(zip(texts, vectors, strict=True), key=lambda row: row[0].video):
        with database.only_run_of(key) as held, database.writing(held) as connection:
            model = have_model(connection, embedder.model, embedder.dimensions)
            embeddings.add_embeddings(connection, model, key, rows)
    return len(texts)
