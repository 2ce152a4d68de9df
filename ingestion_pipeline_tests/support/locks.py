"""Waiting until another process waits."""

import time

import psycopg

from ingestion_pipeline.store.database import Database


def wait_for_a_waiting_lock(database: Database, kind: str = "advisory") -> None:
    """Return once somebody waits for a lock of that kind in the database."""
    with psycopg.connect(database.url, autocommit=True) as admin:
        waiting = "select exists (select from pg_locks where locktype = %s and not granted)"
        while admin.execute(waiting, (kind,)).fetchone() == (False,):
            time.sleep(0.01)
