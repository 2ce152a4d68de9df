"""The store on a real PostgreSQL: what is written is read, what is replaced is gone, what fails leaves nothing."""

import dataclasses
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingestion_pipeline.errors import DatabaseFault, Permanent, VideoUnknown
from ingestion_pipeline.records import Passage, Segment
from ingestion_pipeline.store import catalogue, embedding_models, embeddings, transcripts
from ingestion_pipeline.store.catalogue import SourceCounts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedded import EmbeddedServer
from ingestion_pipeline.store.migrations import have_database, migrate, pending
from ingestion_pipeline_tests.support.examples import VIDEO, transcript, video
from ingestion_pipeline_tests.support.locks import wait_for_a_waiting_lock

Holding = Callable[[Database], AbstractContextManager[object]]


def test_migrations_apply_once(server: EmbeddedServer) -> None:
    have_database(server.url("fresh"))
    have_database(server.url("fresh"))
    database = Database(server.url("fresh"))
    assert pending(database) == migrate(database) != []
    assert pending(database) == migrate(database) == []


def test_a_changed_migration_is_refused(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("update migrations set sha256 = 'other'")
    with pytest.raises(DatabaseFault, match=r"0001_tables\.sql is not the one"):
        migrate(database)


def test_migrating_at_once_waits_for_the_other(server: EmbeddedServer) -> None:
    have_database(server.url("contested"))
    applied: list[list[str]] = []
    database = Database(server.url("contested"))
    threads = [threading.Thread(target=lambda: applied.append(migrate(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, applied)) == [False, False, False, True]


def test_a_pgvector_that_is_too_old_is_named(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("update pg_extension set extversion = '0.7.4' where extname = 'vector'")
    with pytest.raises(DatabaseFault, match=r"pgvector is 0.7.4 in this database, which is too old. Install 0.8"):
        migrate(database)


def test_a_server_without_pgvector_is_named(server: EmbeddedServer) -> None:
    have_database(server.url("bare"))
    with psycopg.connect(server.url("bare"), autocommit=True) as connection:
        connection.execute("alter database bare set extension_control_path = '/nowhere'")
    with pytest.raises(DatabaseFault, match=r"has no pgvector\. Install the extension"):
        migrate(Database(server.url("bare")))


def test_a_user_who_may_not_make_tables_is_told_what_to_ask_for(database: Database) -> None:
    reader = f"reader_of_{conninfo_to_dict(database.url)['dbname']}"
    with database.connection(autocommit=True) as connection:
        connection.execute(f"drop table migrations cascade; create role {reader} login")
    with pytest.raises(DatabaseFault, match=r"cannot be made: permission denied .* grant all on schema public"):
        migrate(Database(make_conninfo(database.url, user=reader)))
    with database.connection(autocommit=True) as connection:
        connection.execute(f"drop role {reader}")


def test_a_postgresql_that_is_too_old_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as old, ThreadPoolExecutor(1) as thread:
        greeted = thread.submit(greet, old, b"14.12")
        url = f"postgresql://me@127.0.0.1:{old.getsockname()[1]}/name?sslmode=disable&gssencmode=disable"
        with pytest.raises(
            DatabaseFault, match=r"PostgreSQL 14, which is too old\. Give DATABASE_URL one of version 15"
        ):
            migrate(Database(url))
        greeted.result(10)


def greet(server: socket.socket, version: bytes) -> None:
    """Let a client in as PostgreSQL does, and wait until it leaves, or wants more than to know the version."""
    client, _ = server.accept()
    with client:
        client.settimeout(5)
        client.recv(4096)
        told = b"server_version\0" + version + b"\0"
        encoding = b"client_encoding\0UTF8\0"
        parts = [(b"R", bytes(4)), (b"S", told), (b"S", encoding), (b"Z", b"I")]
        client.sendall(b"".join(kind + (4 + len(body)).to_bytes(4, "big") + body for kind, body in parts))
        while client.recv(4096):
            pass


def test_an_unreachable_database_is_one_line() -> None:
    unreachable = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseFault, match="cannot be reached") as caught, unreachable.connection():
        pass
    assert "\n" not in str(caught.value)
    assert "DATABASE_URL" in str(caught.value)


def test_a_video_is_read_as_it_was_saved(database: Database) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
    with database.connection() as connection:
        assert catalogue.video_of(connection, VIDEO.key) == VIDEO
        with pytest.raises(VideoUnknown, match="absent is not in the catalogue"):
            catalogue.video_of(connection, "absent")


def test_a_new_listing_keeps_the_source_and_what_it_does_not_know(database: Database) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
        again = video(1, key=VIDEO.key, source_id=VIDEO.source_id, source="other", title="New", published_at=None)
        catalogue.save_videos(connection, [again])
        known = catalogue.video_of(connection, VIDEO.key)
    assert (known.source, known.title, known.published_at) == ("podcast", "New", VIDEO.published_at)


def test_each_source_is_counted(database: Database) -> None:
    kinds = {1: ("permanent", None), 2: ("transient", "2100-01-01"), 3: ("breaker", "2100-01-01")}
    with database.connection() as connection:
        catalogue.save_videos(connection, [video(number, source="many") for number in range(5)])
        for number, (kind, retry_at) in kinds.items():
            connection.execute(
                "insert into failures values (%s, 'raw_audio', %s, 'Because.', 'Wait.', 1, 'run', now(), %s)",
                (video(number).key, kind, retry_at),
            )
        model = embedding_models.have_model(connection, "words", 2)
        embeddings.save_embeddings(connection, model, video(4).key, [], {}, "f", "en")
        connection.execute("insert into sources (name, config_hash, error) values ('down', '', 'It is down.')")
        counts = catalogue.source_counts(connection, "words")
    assert counts == [SourceCounts("down", 0, 0, 0, 0, 0, "It is down."), SourceCounts("many", 5, 1, 1, 1, 1, None)]


@pytest.mark.parametrize("title", ["a \"quoted\" 'title'; drop table videos", "emoji 🎧🎙️", "x" * 10_000])
def test_any_title_is_kept(database: Database, title: str) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [video(1, title=title)])
        assert catalogue.video_of(connection, video(1).key).title == title


def test_a_transcript_is_replaced_whole(database: Database) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
        transcripts.save_transcript(connection, VIDEO.key, transcript("One.", "Two.", "Three."))
        transcripts.save_transcript(connection, VIDEO.key, transcript("Four.", fingerprint="f2"))
        read = transcripts.transcript_of(connection, VIDEO.key)
    assert read.text == "Four."
    assert read.fingerprint == "f2"
    assert read.segments[0].avg_logprob == pytest.approx(-0.1)


def test_nul_in_a_text_is_left_out(database: Database) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
        transcripts.save_transcript(connection, VIDEO.key, transcript("be\0fore"))
        assert transcripts.transcript_of(connection, VIDEO.key).text == "before"


def test_a_transcript_that_fails_midway_leaves_the_old_one(database: Database) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
        transcripts.save_transcript(connection, VIDEO.key, transcript("Old."))
    broken = dataclasses.replace(transcript("New."), segments=[Segment(0.0, 1.0, "\ud800")])
    with pytest.raises(UnicodeEncodeError), database.writing() as connection:
        transcripts.save_transcript(connection, VIDEO.key, broken)
    with database.connection() as connection:
        assert transcripts.transcript_of(connection, VIDEO.key).text == "Old."


def test_another_model_with_other_passages_makes_those_of_the_first_outdated(database: Database) -> None:
    """Of one transcript, as after a change of the passage rule."""
    said = [Passage(0.0, 1.0, "Bread.")]
    with database.writing() as connection:
        catalogue.save_videos(connection, [VIDEO])
        first, second = (embedding_models.have_model(connection, name, 3) for name in ("first", "second"))
        for model, rule in ((first, "rule 1"), (second, "rule 1"), (first, "rule 2")):
            embeddings.save_embeddings(connection, model, VIDEO.key, said, {0: np.ones(3, np.float32)}, rule, "en")
        assert embeddings.embedded_as(connection, "first", VIDEO.key) == embeddings.EmbeddedAs("rule 2", 3)
        assert embeddings.embedded_as(connection, "second", VIDEO.key) is None
        assert list(embeddings.stored_hashes(connection, "second", VIDEO.key)) == [0]


def test_a_model_that_changes_its_dimensions_is_named(database: Database) -> None:
    with database.writing() as connection:
        embedding_models.have_model(connection, "words", 3)
        with pytest.raises(Permanent, match="words gives 4 dimensions, the database holds it with 3"):
            embedding_models.have_model(connection, "words", 4)


def test_a_missing_transcript_says_what_to_run(database: Database) -> None:
    with database.connection() as connection, pytest.raises(Permanent, match="ingest run absent"):
        transcripts.transcript_of(connection, "absent")


@pytest.mark.parametrize(
    ("holding", "places"),
    [
        (lambda database: database.writing(), 4),
        (lambda database: database.recognising(2), 2),
        (lambda database: database.only_run_of("one"), 1),
    ],
    ids=["writers", "recognisers", "runs of a video"],
)
def test_one_too_many_waits_asleep(database: Database, holding: Holding, places: int) -> None:
    entered = threading.Event()

    def enter() -> None:
        with holding(database):
            entered.set()

    with ExitStack() as held:
        for _ in range(places):
            held.enter_context(holding(database))
        late = threading.Thread(target=enter)
        late.start()
        wait_for_a_waiting_lock(database)
        assert not entered.is_set()
    assert entered.wait(30)
    late.join()


def test_videos_do_not_wait_for_each_other(database: Database) -> None:
    with database.only_run_of("one"), database.only_run_of("two"), database.writing(), database.recognising(1):
        pass


def test_the_lock_of_a_dead_run_is_free(database: Database) -> None:
    with database.only_run_of("one"), psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
        )
        with database.only_run_of("one"):
            pass
