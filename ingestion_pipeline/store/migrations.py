"""Brings a database to the schema of `sql/migrations/`: numbered files, each applied once, in a transaction."""

import hashlib
from importlib import resources

import psycopg
from psycopg import Connection, conninfo, sql

from ingestion_pipeline.errors import DatabaseFault

from .database import Database

OLDEST_POSTGRES, OLDEST_PGVECTOR = 15, (0, 8)
_LOCK = 0x1A9E57
"""Advisory lock that one migrating process holds."""


def migrate(database: Database) -> list[str]:
    """Apply what is missing and return its names; raise `DatabaseFault` where the server will not do."""
    try:
        with database.connection() as connection:
            _check_postgres(connection)
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            _have_pgvector(connection)
            connection.execute("create table if not exists migrations (name text primary key, sha256 text not null)")
            done = dict(connection.execute("select name, sha256 from migrations").fetchall())
            return [name for name, text in _files().items() if _applied(connection, name, text, done.get(name))]
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseFault(
            f"The tables cannot be made: {error}.",
            "Let an administrator grant all on schema public to the user of DATABASE_URL, or make it the owner.",
        ) from error


def pending(database: Database) -> list[str]:
    """Return the names of the migrations that `migrate` would apply."""
    with database.connection() as connection:
        if connection.execute("select to_regclass('migrations')").fetchone() == (None,):
            return list(_files())
        done = {name for (name,) in connection.execute("select name from migrations")}
        return [name for name in _files() if name not in done]


def have_database(url: str) -> None:
    """Create the database that `url` names where the server has none of that name."""
    try:
        with Database(url).connection():
            return
    except DatabaseFault as fault:
        unreachable = fault
    try:
        name = conninfo.conninfo_to_dict(url)["dbname"]
        maintenance = psycopg.connect(conninfo.make_conninfo(url, dbname="postgres"), autocommit=True)
    except (KeyError, psycopg.OperationalError, psycopg.ProgrammingError):
        raise unreachable from None
    with maintenance as connection:
        if connection.execute("select from pg_database where datname = %s", (name,)).rowcount:
            raise unreachable
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(str(name))))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
        except psycopg.errors.InsufficientPrivilege:
            raise DatabaseFault(
                f"There is no database {name}, and its user may not create it.",
                f"Let an administrator run: create database {name};",
            ) from None


def pgvector_version(connection: Connection) -> str | None:
    """Return the version of the extension in this database, None where it is not created."""
    row = connection.execute("select extversion from pg_extension where extname = 'vector'").fetchone()
    return row[0] if row else None


def _applied(connection: Connection, name: str, text: str, known_sha256: str | None) -> bool:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if known_sha256 is None:
        connection.execute(text)
        connection.execute("insert into migrations values (%s, %s)", (name, sha256))
    elif known_sha256 != sha256:
        raise DatabaseFault(
            f"Migration {name} is not the one that was applied to this database.",
            "Restore the file, or use the version of the project that made the database.",
        )
    return known_sha256 is None


def _check_postgres(connection: Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST_POSTGRES * 10_000:
        raise DatabaseFault(
            f"The server runs PostgreSQL {version // 10_000}, which is too old.",
            f"Give DATABASE_URL one of version {OLDEST_POSTGRES} or newer.",
        )


def _have_pgvector(connection: Connection) -> None:
    try:
        with connection.transaction():
            connection.execute("create extension if not exists vector")
    except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
        raise DatabaseFault(
            "The database server has no pgvector.", "Install the extension (version 0.8 or newer) on the server."
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseFault(
            "The extension pgvector is not created in this database, and its user may not do so.",
            "Let an administrator run: create extension vector;",
        ) from None
    version = pgvector_version(connection) or "0"
    if tuple(map(int, version.split(".")[:2])) < OLDEST_PGVECTOR:
        raise DatabaseFault(
            f"pgvector is {version} in this database, which is too old.",
            "Install 0.8 or newer on the server and run: alter extension vector update;",
        )


def _files() -> dict[str, str]:
    folder = resources.files(__package__) / "sql" / "migrations"
    return {file.name: file.read_text() for file in sorted(folder.iterdir(), key=lambda file: file.name)}
