"""Writing by the pipeline's own step `embed`: it reads the transcript, makes passages, and writes them with vectors."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ingestion_pipeline.pipeline import embed
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedded import EmbeddedServer
from ingestion_pipeline.store.migrations import have_database, migrate

from .corpus import KnownVectors

WRITERS = 4
"""At once; as in a backfill each video is a transaction of its own."""


@contextmanager
def temporary_server() -> Iterator[EmbeddedServer]:
    """Give a PostgreSQL in a folder of its own, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="bench-search-") as folder:
        server = EmbeddedServer(Path(folder) / "postgres")
        with server.in_use():
            yield server


def new_database(server: EmbeddedServer, name: str) -> Database:
    """Return a database with the schema and nothing in it."""
    database = Database(server.url(name), WRITERS)
    have_database(database.url)
    migrate(database)
    return database


def rows_a_second(database: Database, keys: Sequence[str], embedder: KnownVectors) -> float:
    """Embed the videos, `WRITERS` at once, and return the passages written in a second."""

    def written(key: str) -> int:
        return embed(database, key, embedder, log=_quiet).written

    began = time.perf_counter()
    with database.reusing(), ThreadPoolExecutor(WRITERS) as writers:
        rows = sum(writers.map(written, keys))
    return rows / (time.perf_counter() - began)


def video_ms(database: Database, keys: Sequence[str], embedder: KnownVectors) -> float:
    """Embed one video after the other and return how long one takes (ms, median)."""
    took = []
    for key in keys:
        began = time.perf_counter()
        embed(database, key, embedder, log=_quiet)
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def size_mb(database: Database, relation: str) -> float:
    """Return the size of a table, of what it stores out of line, or of an index (10⁶ bytes)."""
    with database.connection() as connection:
        [size] = connection.execute("select pg_table_size(%s::regclass)", (relation,)).fetchone() or (0,)
    return float(size) / 1e6


def database_mb(database: Database) -> float:
    """Return the size of all tables and indexes together (10⁶ bytes)."""
    with database.connection() as connection:
        [size] = connection.execute("select pg_database_size(current_database())").fetchone() or (0,)
    return float(size) / 1e6


def _quiet(line: str) -> None:
    """Say nothing of a video that is done."""
