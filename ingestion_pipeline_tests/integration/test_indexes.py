"""The index of an embedding model: built once and only where it is worth it, measured, dropped."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ingestion_pipeline.store import indexes
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import EmbeddingModel
from ingestion_pipeline_tests.support.passages import PER_VIDEO, have_bad_index, have_passages


def names(database: Database) -> list[str]:
    with database.connection() as connection:
        rows = connection.execute(
            "select indexrelid::regclass::text from pg_index where indrelid = 'embeddings'::regclass and indisvalid"
        )
        return sorted({name for (name,) in rows} - {"embeddings_pkey"})


def recall(database: Database, model: EmbeddingModel) -> float:
    with database.connection() as connection:
        return indexes.recall(connection, model)


def test_few_passages_have_no_index_and_full_recall(database: Database) -> None:
    model = have_passages(database, "m", videos=2)
    index = indexes.have_index(database, model, print)
    assert index == indexes.Index(2 * PER_VIDEO, None, None)
    assert names(database) == []
    assert recall(database, model) == 1.0


def test_an_index_is_built_once_for_each_model(database: Database) -> None:
    lines: list[str] = []
    first, second = (have_passages(database, name, videos=3) for name in ("first", "second"))
    built = indexes.have_index(database, first, lines.append, exact_under=300)
    assert built.size
    assert built.build_s
    assert [line.split()[0] for line in lines] == ["builds", "built"]
    assert indexes.have_index(database, first, lines.append, exact_under=300) == built
    assert len(lines) == 2
    indexes.have_index(database, second, lines.append, exact_under=301)
    assert names(database) == ["embeddings_hnsw_1"]
    indexes.have_index(database, second, lines.append, exact_under=300)
    assert names(database) == ["embeddings_hnsw_1", "embeddings_hnsw_2"]
    indexes.drop_index(database, first)
    assert names(database) == ["embeddings_hnsw_2"]
    with database.connection() as connection:
        assert indexes.index_of(connection, first) == indexes.Index(300, None, None)


class Noticing(Database):
    """Keeps what the server remarks."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.notices: list[str] = []

    @contextmanager
    def connection(self, *, autocommit: bool = False) -> Iterator[Connection]:
        with super().connection(autocommit=autocommit) as connection:
            connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary or ""))
            yield connection


def test_the_graph_fits_into_memory_while_it_is_built_whatever_the_server_allows(database: Database) -> None:
    model = have_passages(database, "m", videos=50, dimensions=256)
    with database.connection(autocommit=True) as connection:
        connection.execute(
            SQL("alter database {} set maintenance_work_mem = '1MB'").format(Identifier(connection.info.dbname))
        )
    noticing = Noticing(database.url)
    assert indexes.have_index(noticing, model, print, exact_under=1).size
    assert not any("no longer fits" in notice for notice in noticing.notices)
    indexes.drop_index(database, model)
    with noticing.connection(autocommit=True) as connection:
        connection.execute("create index on embeddings using hnsw ((embedding::halfvec(256)) halfvec_cosine_ops)")
    assert any("no longer fits" in notice for notice in noticing.notices), "without the memory it does not"


def test_what_a_broken_build_left_is_dropped_first(database: Database) -> None:
    model = have_passages(database, "m", videos=2)
    with database.connection(autocommit=True) as connection:
        with pytest.raises(Exception, match="could not create unique index"):
            connection.execute("create unique index concurrently embeddings_hnsw_1 on embeddings (model)")
        assert indexes.index_of(connection, model).size is None
        assert connection.execute("select to_regclass('embeddings_hnsw_1') is not null").fetchone() == (True,)
    assert indexes.have_index(database, model, print, exact_under=1).size
    with database.connection() as connection:
        definition = connection.execute("select pg_get_indexdef('embeddings_hnsw_1'::regclass)").fetchone()
    assert definition is not None
    assert "USING hnsw (((embedding)::halfvec(64)) halfvec_cosine_ops) WHERE (model = 1)" in definition[0]


def test_two_who_build_at_once_build_one(database: Database) -> None:
    model = have_passages(database, "m", videos=5)
    lines: list[str] = []
    threads = [
        threading.Thread(target=lambda: indexes.have_index(database, model, lines.append, exact_under=1))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.split()[0] for line in lines] == ["builds", "built"]
    assert names(database) == ["embeddings_hnsw_1"]


def test_an_index_that_finds_badly_is_known_by_its_recall(database: Database) -> None:
    model = have_passages(database, "m", videos=30, dimensions=256)
    have_bad_index(database, model)
    assert recall(database, model) < 0.9
    indexes.drop_index(database, model)
    indexes.have_index(database, model, print, exact_under=1)
    assert recall(database, model) > 0.9
