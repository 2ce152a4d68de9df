"""What the commands share: settings, an open database, Dagster's instance."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingestion_pipeline.audio.ytdlp import Access
from ingestion_pipeline.databases import child_environment, dagster_database_url, database_url, embedded_server
from ingestion_pipeline.errors import BadSettings, DatabaseFault
from ingestion_pipeline.politeness import Politeness, Web, rates_of
from ingestion_pipeline.settings import Settings, load_settings
from ingestion_pipeline.store.database import Database

if TYPE_CHECKING:
    from dagster import DagsterInstance


class Session:
    """One call of `ingest`; what is expensive opens when it is asked for."""

    def __init__(self, env_file: str, **overrides: object) -> None:
        self.env_file, self.overrides = env_file, overrides

    @cached_property
    def settings(self) -> Settings:
        """The settings; raise `BadSettings`."""
        if self.env_file != ".env" and not Path(self.env_file).is_file():
            raise BadSettings(f"{self.env_file}: no such file.", "Give --env a file like .env.example.")
        return load_settings(Path(self.env_file), **self.overrides)

    @property
    def web(self) -> Web:
        """How sites are asked."""
        settings = self.settings
        politeness = Politeness(rates_of(settings.site_rate), settings.site_pause_s)
        return Web(politeness, Access(settings.cookies_file, settings.proxy), settings.allow_private_addresses)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Give the project's database, migrated; the embedded server runs until the last user is done."""
        from ingestion_pipeline.store.migrations import have_database, migrate

        with self.server():
            database = Database(database_url(self.settings), self.settings.db_workers)
            if not self.settings.database_url:
                have_database(database.url)
            migrate(database)
            with database.reusing():
                yield database

    @contextmanager
    def dagster(self) -> Iterator["DagsterInstance"]:
        """Give Dagster's instance, on a database of its own; children find it by the environment."""
        with self.database():
            environment = child_environment(self.settings)
            have_home(environment)
            self._check_dagster_database()
            os.environ.update(environment)
            from dagster import DagsterInstance

            with DagsterInstance.get() as instance:
                yield instance

    def _check_dagster_database(self) -> None:
        """Raise `DatabaseFault` where Dagster's database cannot be reached; unless it was named, it is created."""
        from ingestion_pipeline.store.migrations import have_database

        url = dagster_database_url(self.settings).replace("postgresql+psycopg2", "postgresql")
        if not self.settings.dagster_database_url:
            return have_database(url)
        try:
            with Database(url).connection():
                return None
        except DatabaseFault as fault:
            raise DatabaseFault(f"Dagster's storage: {fault.what}", "See DAGSTER_DATABASE_URL.") from None

    @contextmanager
    def model_server_ended(self) -> Iterator[None]:
        """At the end of the block have the model server finish what it has begun, and end."""
        from ingestion_pipeline.models import model_server

        try:
            yield
        finally:
            model_server(self.settings).end()

    @contextmanager
    def server(self) -> Iterator[None]:
        """Hold the embedded server, where no DATABASE_URL names another."""
        server = embedded_server(self.settings)
        with server.in_use() if server else nullcontext():
            yield


def tell(line: str) -> None:
    """Say how far a command is, apart from its result."""
    click.echo(line, err=True)


def shipped(name: str) -> Path:
    """Return a file of the project's top level; a wheel carries it inside the package."""
    package = Path(__file__).parents[1]
    return next(path for path in (package.parent / name, package / name) if path.exists())


def have_home(environment: dict[str, str]) -> None:
    """Make DAGSTER_HOME with the project's dagster.yaml in it."""
    home = Path(environment["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    config, wanted = home / "dagster.yaml", shipped("dagster.yaml").read_text()
    if not config.exists() or config.read_text() != wanted:
        config.write_text(wanted)
