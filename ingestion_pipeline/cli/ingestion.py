"""`ingest discover`, `add` and `run`: what brings videos in, without a daemon."""

import json
import sys
import time
from dataclasses import dataclass

import click
from pydantic import ValidationError

from .session import Session, shipped


@dataclass(frozen=True)
class Ingested:
    """How one video fared."""

    video: str
    title: str
    failure: str | None
    seconds: float


@click.command(epilog="Example: ingest discover --json")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def discover(session: Session, as_json: bool) -> None:
    """List all sources for new videos.

    They become partitions that can be ingested; nothing is downloaded.
    """
    found = list_sources(session)
    text = f"{found['listed']} listed, {found['new']} new, failed sources: {found['failed_sources']}"
    click.echo(json.dumps(found) if as_json else text)
    sys.exit(1 if found["failed_sources"] else 0)


@click.command(epilog="Example: ingest add https://www.youtube.com/watch?v=jNQXAC9IVRw")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("--json", "as_json", is_flag=True, help="Print the added videos as JSON.")
@click.pass_obj
def add(session: Session, urls: tuple[str, ...], as_json: bool) -> None:
    """Add videos, playlists or pages.

    They become partitions that can be ingested; nothing is downloaded.
    """
    from ingestion_pipeline.discovery import discover as list_all
    from ingestion_pipeline.sources.config import Source

    try:
        sources = [Source(name="added", url=url) for url in urls]
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    with session.dagster() as instance, session.database() as database:
        found = list_all(database, sources, allow_private=session.settings.allow_private_addresses, log=_tell)
        instance.add_dynamic_partitions("videos", [video.key for video in found.new])
    if as_json:
        click.echo(json.dumps([{"video": video.key, "title": video.title} for video in found.new]))
    else:
        for video in found.new:
            click.echo(f"{video.key}  {video.title}")
    sys.exit(1 if found.failed_sources else 0)


@click.command(epilog="Example: ingest run --limit 5")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--limit", type=click.IntRange(min=1), help="Most videos to take (default: INGESTION_LIMIT).")
@click.option("--force", is_flag=True, help="Do every step again although nothing has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print how each video fared as JSON.")
@click.pass_obj
def run(session: Session, videos: tuple[str, ...], limit: int | None, force: bool, as_json: bool) -> None:
    """Take videos through all steps.

    Without VIDEO the sources are listed, and what is new is taken, newest first. All runs are done in this process, one
    after the other, and show in the Dagster UI. A small server calls this from cron.
    """
    failed_sources: object = 0
    if not videos and not session.settings.sources_file.exists():
        _tell(f"{session.settings.sources_file} is not there: no source is listed")
    elif not videos:
        failed_sources = list_sources(session)["failed_sources"]
    fared = ingest_videos(session, list(videos), limit=limit or session.settings.ingestion_limit, force=force)
    failed = [one for one in fared if one.failure]
    if as_json:
        click.echo(json.dumps([one.__dict__ for one in fared]))
    for one in failed:
        click.echo(f"failed: {one.video}  {one.title}: {one.failure}", err=True)
    click.echo(f"{len(fared) - len(failed)} of {len(fared)} videos ingested", err=as_json)
    sys.exit(1 if failed or failed_sources else 0)


def ingest_videos(session: Session, keys: list[str], *, limit: int | None, force: bool) -> list[Ingested]:
    """Ingest the videos of `keys`, or else those that wait; one that fails does not stop the others."""
    from ingestion_pipeline.store.catalogue import video_of, videos_to_do

    with session.dagster() as instance, session.database() as database:
        from ingestion_pipeline.defs.launch import failure_of, ingest_video

        workspace = shipped("workspace.yaml")
        with database.connection() as connection:
            wanted = keys or videos_to_do(connection, session.settings.embedding_model, limit)
            titles = {key: video_of(connection, key).title for key in wanted}
        fared = []
        for number, (key, title) in enumerate(titles.items(), 1):
            _tell(f"{number} of {len(titles)}: {key}  {title}")
            started = time.monotonic()
            result = ingest_video(instance, workspace, key, force=force)
            fared.append(Ingested(key, title, failure_of(result), time.monotonic() - started))
        return fared


def _tell(line: str) -> None:
    click.echo(line, err=True)


def list_sources(session: Session) -> dict[str, object]:
    """List the sources in a run of its own and return what the catalogue's page shows of it."""
    with session.dagster() as instance:
        from ingestion_pipeline.defs.launch import failure_of, run_job

        result = run_job(instance, shipped("workspace.yaml"), "list_sources", {})
        if failure := failure_of(result):
            raise click.ClickException(failure)
        (event,) = result.get_asset_materialization_events()
        shown = event.materialization.metadata.items()
        return {name: value.value for name, value in shown if "/" not in name and name != "sources"}


COMMANDS = (discover, add, run)
