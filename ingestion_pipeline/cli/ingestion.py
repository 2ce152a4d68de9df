"""`ingest discover`, `add` and `run`: what brings videos in, without a daemon."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ingestion_pipeline.errors import VideoUnknown
from ingestion_pipeline.records import Video
from ingestion_pipeline.store.database import Database

from .session import Session, shipped, tell

if TYPE_CHECKING:
    from dagster import DagsterInstance


@dataclass(frozen=True)
class Ingested:
    """How one video fared: ingested, unless it says why it failed or what it waits for, and of which kind that is."""

    video: str
    title: str
    failure: str | None
    waits: str | None
    kind: str | None
    seconds: float

    @property
    def done(self) -> bool:
        """Whether it was ingested."""
        return self.failure is None and self.waits is None


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
    """Add videos, playlists or pages, such as were removed as well.

    They become partitions that can be ingested; nothing is downloaded.
    """
    from ingestion_pipeline.discovery import add as add_all

    with session.dagster() as instance, session.database() as database:
        found = add_all(database, urls, session.web, log=tell)
        instance.add_dynamic_partitions("videos", [video.key for video in found.new])
    if as_json:
        click.echo(json.dumps([{"video": video.key, "title": video.title} for video in found.new]))
    else:
        for video in found.new:
            click.echo(f"{video.key}  {video.title}")
    sys.exit(1 if found.failed else 0)


@click.command(epilog="Example: ingest run --limit 5")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--limit", type=click.IntRange(min=1), help="Most videos to take (default: INGESTION_LIMIT).")
@click.option("--force", is_flag=True, help="Do every step again although nothing has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print how each video fared as JSON.")
@click.pass_obj
def run(session: Session, videos: tuple[str, ...], limit: int | None, force: bool, as_json: bool) -> None:
    """Take videos through all steps.

    Without VIDEO the sources are listed, what is new or due again is taken, newest first, and then AUDIO_RETENTION and
    NOTIFY_URLS are heeded. All runs are done in this process, one after the other, and show in the Dagster UI. A small
    server calls this from cron.
    """
    failed_sources: object = 0
    if not videos and not session.settings.sources_file.exists():
        tell(f"{session.settings.sources_file} is not there: no source is listed")
    elif not videos:
        failed_sources = list_sources(session)["failed_sources"]
    fared = ingest_videos(session, list(videos), limit=limit or session.settings.ingestion_limit, force=force)
    failed = [one for one in fared if one.failure]
    if as_json:
        click.echo(json.dumps([one.__dict__ for one in fared]))
    for one in fared:
        if not one.done:
            word, why = ("failed", one.failure) if one.failure else ("waits", one.waits)
            click.echo(f"{word}: {one.video}  {one.title}: {why}", err=True)
    click.echo(f"{sum(one.done for one in fared)} of {len(fared)} videos ingested", err=as_json)
    if not videos:
        _follow_up(session)
    sys.exit(1 if failed or failed_sources else 0)


def _follow_up(session: Session) -> None:
    """Do what else a daemon would do by the day: tell of failures, and delete audio that has served."""
    from ingestion_pipeline import notification, retention

    settings = session.settings
    days = retention.days_kept(settings.audio_retention)
    with session.database() as database:
        if settings.notify_urls:
            notification.tell(database, settings.notify_urls, tell)
        if days is not None:
            swept = retention.sweep(database, days, tell)
            tell(f"{swept.files} audio files deleted, {swept.bytes / 1e6:.0f} MB")


def ingest_videos(session: Session, keys: list[str], *, limit: int | None, force: bool) -> list[Ingested]:
    """Ingest the videos of `keys`, or else at most `limit` of those to do; one that fails does not stop the others.

    Unless they are named, videos of a site that is left alone are not begun; nor are those of a site that begins to
    refuse, and none where something is wrong on this machine.
    """
    from ingestion_pipeline.models import embedding_name
    from ingestion_pipeline.politeness import host_of
    from ingestion_pipeline.store.catalogue import videos_to_do
    from ingestion_pipeline.store.sites import blocked_hosts

    with session.dagster() as instance, session.database() as database:
        with database.connection() as connection:
            wanted = keys or videos_to_do(connection, embedding_name(session.settings), failed=force)
            refusing = set() if keys else set(blocked_hosts(connection))
        for host in sorted(refusing):
            tell(f"{host} is left alone for now: its videos are left for later")
        most = len(wanted) if keys or limit is None else min(limit, len(wanted))
        fared: list[Ingested] = []
        for video in list(_videos(database, keys)) if keys else _still_there(database, wanted):
            host = host_of(video.media_url)
            if host in refusing:
                continue
            tell(f"{len(fared) + 1} of {most}: {video.key}  {video.title}")
            one = _ingested(instance, database, video, force)
            fared.append(one)
            if one.kind == "breaker":
                refusing.add(host)
                tell(f"{host} refuses: its other videos are left for later")
            if one.kind == "environment":
                tell("something is wrong on this machine: the other videos are left for later")
            if one.kind == "environment" or len(fared) == most:
                break
        return fared


def _videos(database: Database, keys: list[str]) -> Iterator[Video]:
    """Yield the videos one by one; raise `VideoUnknown` for one that the catalogue lacks."""
    from ingestion_pipeline.store.catalogue import video_of

    for key in keys:
        with database.connection() as connection:
            video = video_of(connection, key)
        yield video


def _still_there(database: Database, keys: list[str]) -> Iterator[Video]:
    """Yield the videos one by one, without those that were removed meanwhile."""
    for key in keys:
        try:
            yield from _videos(database, [key])
        except VideoUnknown:
            tell(f"{key} was removed meanwhile")


def _ingested(instance: "DagsterInstance", database: Database, video: Video, force: bool) -> Ingested:
    """Take a video through its steps and return how it fared."""
    from ingestion_pipeline.defs.launch import failure_of, ingest_video
    from ingestion_pipeline.store import failures

    started = time.monotonic()
    result = ingest_video(instance, shipped("workspace.yaml"), video.key, force=force)
    with database.connection() as connection:
        kept = failures.failure_of(connection, video.key)
    ours = kept if kept and kept.run_id == result.run_id else None
    why = failure_of(result)
    return Ingested(
        video.key,
        video.title,
        why,
        waits=ours.reason if ours and not why else None,
        kind=ours.kind if ours else None,
        seconds=time.monotonic() - started,
    )


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
