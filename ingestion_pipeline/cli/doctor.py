"""`ingest doctor`: whether everything is there that an ingestion needs, and how to mend what is not."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ingestion_pipeline.errors import IngestionError, ModelFault
from ingestion_pipeline.settings import Settings

from .session import Session


@dataclass(frozen=True)
class Check:
    """One thing that must be there; `remedy` is empty where it is."""

    name: str
    found: str
    remedy: str = ""


@click.command(epilog="Example: ingest doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.pass_obj
def doctor(session: Session, as_json: bool) -> None:
    """Check what an ingestion needs.

    Database, sources, folder, disk, JavaScript runtime, GPU and models; says how to mend what is not right.
    """
    checks = list(checks_of(session))
    if as_json:
        click.echo(json.dumps([check.__dict__ for check in checks]))
    else:
        for check in checks:
            click.echo(f"{'MEND' if check.remedy else 'ok':5} {check.name:20} {check.found}")
            if check.remedy:
                click.echo(f"{'':5} {'':20} {check.remedy}")
    sys.exit(1 if any(check.remedy for check in checks) else 0)


def checks_of(session: Session) -> Iterator[Check]:
    """Make each check; one that fails does not stop the others."""
    settings = session.settings
    steps: list[tuple[str, Callable[[], str]]] = [
        ("database", lambda: _database(session)),
        ("sources", lambda: _sources(settings)),
        ("folder", lambda: _folder(settings.data_dir)),
        ("disk", lambda: _disk(settings.data_dir)),
        ("JavaScript runtime", _javascript),
        *_models(settings),
    ]
    for name, step in steps:
        try:
            yield Check(name, step())
        except IngestionError as error:
            yield Check(name, error.what, error.remedy or "See the README.")


def _models(settings: Settings) -> list[tuple[str, Callable[[], str]]]:
    """Return the checks of models: here, or of the server elsewhere that has them."""
    server = ("model server", lambda: _model_server(settings))
    if settings.model_server_url:
        return [server]
    return [server, ("Whisper", lambda: _whisper(settings)), ("embedding model", lambda: _embedding(settings))]


def _model_server(settings: Settings) -> str:
    from ingestion_pipeline.models import model_server

    server = model_server(settings)
    if server.url:
        server.address()
        return f"{server.url} answers"
    return f"{'runs' if server.running() else 'starts when it is needed'}, log in {server.folder}"


def _database(session: Session) -> str:
    from ingestion_pipeline.store.migrations import pgvector_version

    with session.database() as database, database.connection() as connection:
        postgres = connection.info.server_version // 10_000
        return f"PostgreSQL {postgres}, pgvector {pgvector_version(connection)}"


def _sources(settings: Settings) -> str:
    from ingestion_pipeline.sources.config import read_sources

    return f"{len(read_sources(settings.sources_file))} in {settings.sources_file}"


def _folder(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise IngestionError(f"{folder} cannot be written: {error.strerror}.", "Set DATA_DIR to another.") from error
    return f"{folder} can be written"


def _disk(folder: Path) -> str:
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    if free_gb < 1:
        raise IngestionError(f"{free_gb:.1f} GB free.", f"Make room on the disk of {folder}.")
    return f"{free_gb:.0f} GB free"


def _javascript() -> str:
    """YouTube needs one since 2025-11; the extra `deno` of yt-dlp brings it as a package."""
    beside_python = Path(sys.executable).parent
    runtime = shutil.which("deno", path=f"{beside_python}{os.pathsep}{os.defpath}") or shutil.which("deno")
    if runtime is None:
        raise IngestionError("deno is not there; YouTube cannot be read without it.", "Run `pip install deno`.")
    return runtime


def _whisper(settings: Settings) -> str:
    from ingestion_pipeline.models import chosen_device
    from ingestion_pipeline.speech.models import check_cuda, check_present

    device = chosen_device(settings)
    if device == "cuda":
        check_cuda()
    return f"{settings.whisper_model} on {device}, {_where(check_present, settings.whisper_model)}"


def _embedding(settings: Settings) -> str:
    from ingestion_pipeline.embedding.embedder import check_present

    return f"{settings.embedding_model}, {_where(check_present, settings.embedding_model)}"


def _where(check: Callable[[str], None], model: str) -> str:
    """Return where a model is; raise `ModelFault` where it is neither here nor to be had."""
    try:
        check(model)
    except ModelFault as fault:
        if not isinstance(fault.__cause__, OSError):  # no name that could be downloaded
            raise
        if not _reachable("huggingface.co"):
            what = f"{model} is not on this machine, and huggingface.co cannot be reached."
            raise ModelFault(what, fault.remedy) from None
        return "downloaded at first use"
    return "on this machine"


def _reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), 5).close()
    except OSError:
        return False
    return True


COMMANDS = (doctor,)
