"""Connections that are kept for the next who asks: as good as new, and gone with the block."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import Connection

from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.model_servers import wait_until


def backend(database: Database, *, autocommit: bool = False) -> int:
    """Use a connection and return the process that serves it."""
    with database.connection(autocommit=autocommit) as connection:
        return pid_of(connection)


def pid_of(connection: Connection) -> int:
    return int(connection.info.backend_pid)


def test_without_being_asked_to_none_is_kept(database: Database) -> None:
    assert backend(database) != backend(database)


def test_who_asks_next_gets_the_same_in_another_thread_and_mode_as_well(database: Database) -> None:
    with database.reusing(), ThreadPoolExecutor(1) as other:
        first = backend(database)
        assert backend(database, autocommit=True) == first
        assert other.submit(backend, database).result() == first
        with database.connection() as connection:
            assert pid_of(connection) == first
            assert backend(database) != first


def test_before_a_long_wait_they_can_be_closed(database: Database) -> None:
    with database.reusing():
        first = backend(database)
        database.close_idle()
        assert backend(database) != first
    database.close_idle()


def test_what_was_written_is_committed_and_what_failed_is_not(database: Database) -> None:
    with database.reusing():
        with database.connection() as connection:
            connection.execute("create table words (word text)")
            failing = pid_of(connection)
        with pytest.raises(RuntimeError):
            write_and_fail(database)
        assert backend(database) != failing
        with Database(database.url).connection() as connection:
            assert connection.execute("select count(*) from words").fetchone() == (0,)


def write_and_fail(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("insert into words values ('lost')")
        raise RuntimeError


def test_locks_and_settings_of_the_last_user_are_gone(database: Database) -> None:
    with database.reusing():
        with database.only_run_of("one") as connection:
            first = pid_of(connection)
            connection.execute("set lock_timeout = '1s'")
        with Database(database.url).unless_busy("one"):
            pass
        with database.connection() as connection:
            assert pid_of(connection) == first
            assert connection.execute("show lock_timeout").fetchone() == ("0",)


def test_one_that_was_cut_after_its_work_is_no_failure_and_not_used_again(database: Database) -> None:
    with database.reusing():
        with database.only_run_of("one") as connection, psycopg.connect(database.url, autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(%s, 10000)", (pid_of(connection),))
        assert backend(database) > 0


def test_after_the_block_none_is_left(database: Database) -> None:
    named = Database(database.url, holder="a run")
    with named.reusing(), named.connection(), named.connection():
        assert connections(named) == 2
    wait_until(lambda: connections(named) == 0)


def connections(named: Database) -> int:
    with psycopg.connect(named.url) as admin:
        asked = "select count(*) from pg_stat_activity where application_name = %s"
        row = admin.execute(asked, (named.application_name,)).fetchone()
    assert row is not None
    return int(row[0])
