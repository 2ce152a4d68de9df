"""`ingest db`: the database, embedded or not."""

import json

import click

from ingestion_pipeline.databases import database_url, embedded_server
from ingestion_pipeline.errors import BadSettings
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedded import EmbeddedServer

from .session import Session


@click.group(epilog="Example: ingest db status")
def db() -> None:
    """Start, stop, migrate and show the database."""


@db.command(epilog="Example: ingest db start")
@click.pass_obj
def start(session: Session) -> None:
    """Start the embedded server for good.

    It runs until `ingest db stop`; without this, it runs while a command needs it.
    """
    started = _embedded(session).start()
    click.echo("started" if started else "runs already")


@db.command(epilog="Example: ingest db stop")
@click.pass_obj
def stop(session: Session) -> None:
    """Stop the embedded server."""
    stopped = _embedded(session).stop()
    click.echo("stopped" if stopped else "does not run")


@db.command(epilog="Example: ingest db migrate")
@click.pass_obj
def migrate(session: Session) -> None:
    """Bring both schemas to this version.

    That of the project, which every command does by itself, and that of Dagster's storage.
    """
    with session.dagster() as instance:
        instance.upgrade()
    click.echo("up to date")


@db.command(epilog="Example: ingest db status --json")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Show the database, and how much is in it."""
    from ingestion_pipeline.store.migrations import have_database, pending, pgvector_version

    with session.server():
        url = database_url(session.settings)
        if not session.settings.database_url:
            have_database(url)
        database = Database(url)
        waiting = pending(database)
        with database.connection() as connection:
            info = connection.info
            shown: dict[str, object] = {
                "server": "embedded" if not session.settings.database_url else f"{info.host}:{info.port}",
                "database": info.dbname,
                "postgresql": f"{info.server_version // 10_000}.{info.server_version % 10_000}",
                "pgvector": pgvector_version(connection),
                "migrations_to_apply": waiting,
            }
            if not waiting:
                for table in ("videos", "transcripts", "passages"):
                    row = connection.execute(f"select count(*) from {table}").fetchone()
                    shown[table] = row[0] if row else 0
    click.echo(json.dumps(shown) if as_json else "\n".join(f"{name}: {value}" for name, value in shown.items()))


@db.command(epilog="Example: ingest db index --json")
@click.option("--rebuild", is_flag=True, help="Drop the index first; until it is there again, searches take longer.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def index(session: Session, rebuild: bool, as_json: bool) -> None:
    """Build the index that searches need, if they need one, and measure it.

    What the job build_search_index does. Searches and ingestion go on meanwhile.
    """
    from ingestion_pipeline import reembedding
    from ingestion_pipeline.models import embedding_name

    with session.database() as database:
        if rebuild:
            reembedding.drop_active_index(database)
        upkeep = reembedding.keep_up(
            database, embedding_name(session.settings), lambda line: click.echo(line, err=True)
        )
    shown = upkeep.described() if upkeep else {"passages": 0}
    click.echo(json.dumps(shown) if as_json else "\n".join(f"{name}: {value}" for name, value in shown.items()))


def _embedded(session: Session) -> EmbeddedServer:
    server = embedded_server(session.settings)
    if server is None:
        raise BadSettings("DATABASE_URL names a server of its own.", "Start and stop it there, or unset DATABASE_URL.")
    return server


COMMANDS = (db,)
