"""The whole measurement in one database: write, index, search."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click

from benchmarks.asr.machine import computer, source_hash
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import active_model
from ingestion_pipeline.store.indexes import have_index
from ingestion_pipeline.store.migrations import pgvector_version

from .corpus import KnownVectors, add_transcripts
from .searching import Question, compared
from .sentences import PER_VIDEO
from .writing import WRITERS, rows_a_second, size_mb, video_ms

_SINGLE = 20
"""Videos that are written one after the other; the rest go in at once."""


def measured(
    database: Database,
    texts: Sequence[str],
    embedder: KnownVectors,
    questions: Sequence[Question],
    singles: int = _SINGLE,
) -> dict[str, Any]:
    """Return what the report shows."""
    keys = add_transcripts(database, texts)
    bulk, single = keys[:-singles], keys[-singles:]
    _tell(f"{len(bulk)} videos of {PER_VIDEO} passages are written")
    writing = {"writers": WRITERS, "rows_s": rows_a_second(database, bulk, embedder)}
    writing |= {"single_videos": len(single), "video_ms": video_ms(database, single, embedder)}
    index = indexed(database)
    _tell(f"{len(questions)} questions are asked in each way")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(database),
        "passages": len(texts),
        "questions": len(questions),
        "writing": writing,
        "index": index,
        "searches": list(compared(database, questions)),
    }


def indexed(database: Database) -> dict[str, float]:
    """Build the index of the vectors, after PostgreSQL has counted what is there; return its figures."""
    with database.connection(autocommit=True) as connection:
        connection.execute("vacuum analyze")
        model = active_model(connection)
    assert model is not None
    index = have_index(database, model, _tell, exact_under=0)
    assert index.size is not None
    assert index.build_s is not None
    return {"build_s": index.build_s, "size_mb": index.size / 1e6, "table_mb": size_mb(database, "embeddings")}


def machine(database: Database) -> dict[str, str]:
    """Return what must be the same for two measurements to be comparable."""
    with database.connection() as connection:
        postgres = connection.info.server_version
        vector = pgvector_version(connection)
    return {
        **computer(),
        "postgresql": f"{postgres // 10_000}.{postgres % 10_000}",
        "pgvector": str(vector),
        "psycopg": version("psycopg"),
        "store": source_hash("store"),
    }


def _tell(line: str) -> None:
    click.echo(line, err=True)
