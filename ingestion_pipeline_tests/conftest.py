"""What many tests share: one real PostgreSQL for the test run, a fresh copy of the migrated database for each test."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedded import EmbeddedServer
from ingestion_pipeline.store.migrations import have_database, migrate
from ingestion_pipeline_tests.support.web import Site, serving

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="ingestion tests ") as folder:
        server = EmbeddedServer(Path(folder) / "postgres")
        with server.in_use():
            have_database(server.url("template"))
            migrate(Database(server.url("template")))
            yield server


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[Database]:
    """Give a migrated database of the test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template template")
        yield Database(server.url(name), writers=4)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site
