"""The command `ingest` in processes of its own, in a folder with settings and sources."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import ingestion_pipeline
from ingestion_pipeline.cli.session import Session
from ingestion_pipeline.databases import database_url
from ingestion_pipeline.private_folders import socket_folder
from ingestion_pipeline.store.database import Database

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


class Installation:
    """A folder in which a person works; nothing of the environment but `PATH` and its like is seen.

    The commands are those of the package that the tests import, wherever another is installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.environment["PYTHONPATH"] = str(Path(ingestion_pipeline.__file__).parents[1])
        self.environment["MODEL_SERVER_IDLE_S"] = "5"

    def set(self, **settings: str) -> None:
        """Write `.env`."""
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def list_sources(self, *sources: str) -> None:
        """Write `sources.yaml`; each source is the inside of a mapping."""
        listed = ", ".join(f"{{{source}}}" for source in sources)
        (self.folder / "sources.yaml").write_text(f"sources: [{listed}]\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ingest` to its end."""
        with self.start(*arguments, stderr=subprocess.PIPE) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def start(
        self, *arguments: str, stderr: int | None = None, hangup: signal.Handlers = signal.SIG_DFL
    ) -> subprocess.Popen[str]:
        """Start `ingest` as from a terminal: in a process group of its own, with Ctrl-C heeded."""
        with handled(signal.SIGINT, signal.SIG_DFL), handled(signal.SIGHUP, hangup):
            return subprocess.Popen(
                [sys.executable, "-m", "ingestion_pipeline", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """Run `ingest ... --json` and return what it prints."""
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def query(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Return the rows of a query to the database, which has to run; none of another statement."""
        settings = Session(str(self.folder / ".env"), data_dir=self.folder / "data").settings
        with psycopg.connect(database_url(settings), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def keys(self) -> dict[str, str]:
        """Return the key of each video by the id that its site gives it."""
        return dict(self.query("select source_id, key from videos"))

    def processes(self) -> list[str]:
        """Return the command lines of processes that were started from this folder, model servers included."""
        found, sockets = [], str(socket_folder(self.folder / "data/model-server"))
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_text().replace("\0", " ") if entry.name.isdigit() else ""
                here = command and (entry / "cwd").resolve().is_relative_to(self.folder.resolve())
                if here or sockets in command:
                    found.append(command)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found


def dagster_url_of(database: Database) -> str:
    """Return where Dagster keeps its records beside a database, unless DAGSTER_DATABASE_URL says otherwise."""
    return make_conninfo(database.url, dbname=f"{conninfo_to_dict(database.url)['dbname']}_dagster")


@contextmanager
def handled(number: signal.Signals, by: signal.Handlers) -> Iterator[None]:
    """Handle a signal so; a child inherits it. Where pytest is a background job of a shell, SIGINT is ignored."""
    former = signal.signal(number, by)
    try:
        yield
    finally:
        signal.signal(number, former)
