"""Where the databases and Dagster's home are: as the settings say, or embedded in the data folder."""

import os

from psycopg import conninfo

from .settings import NO_MORE_SETTINGS, Settings, from_anywhere
from .store.embedded import EmbeddedServer

DATABASE = "ingestion"


def embedded_server(settings: Settings) -> EmbeddedServer | None:
    """Return the embedded server where no DATABASE_URL is set."""
    return None if settings.database_url else _embedded(settings)


def database_url(settings: Settings) -> str:
    """Return the address of the project's database."""
    return settings.database_url or _embedded(settings).url(DATABASE)


def dagster_database_url(settings: Settings) -> str:
    """Return the address of Dagster's storage: a database of its own, by default on the same server.

    The driver is named: SQLAlchemy 2.1 takes psycopg 3 for a bare postgresql://, with which dagster-postgres fails.
    """
    url = settings.dagster_database_url or _with_database(database_url(settings), "_dagster")
    return "postgresql+psycopg2://" + url.split("://", 1)[1]


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the variables with which Dagster and its runs find what this process found, wherever they start."""
    cookies = {"COOKIES_FILE": str(settings.cookies_file.resolve())} if settings.cookies_file else {}
    return {
        **settings.environment(),
        **cookies,
        NO_MORE_SETTINGS: os.devnull,
        "DATA_DIR": str(settings.data_dir.resolve()),
        "SOURCES_FILE": str(settings.sources_file.resolve()),
        "WHISPER_MODEL": from_anywhere(settings.whisper_model),
        "EMBEDDING_MODEL": from_anywhere(settings.embedding_model),
        "DATABASE_URL": database_url(settings),
        "DAGSTER_POSTGRES_URL": dagster_database_url(settings),
        "DAGSTER_HOME": str(settings.data_dir.resolve() / "dagster"),
    }


def _embedded(settings: Settings) -> EmbeddedServer:
    return EmbeddedServer(settings.data_dir.resolve() / "postgres")


def _with_database(url: str, ending: str) -> str:
    """Return a URL for the database whose name is that of `url` with an ending."""
    name = str(conninfo.conninfo_to_dict(url)["dbname"])
    head, _, tail = url.partition("?")
    return head.removesuffix(f"/{name}") + f"/{name}{ending}" + (f"?{tail}" if tail else "")
