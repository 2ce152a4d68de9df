"""`ingest failures` and `ingest retry`: which videos failed or wait, why, and what a person can do."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click

from ingestion_pipeline.errors import VideoUnknown
from ingestion_pipeline.store.failures import Failure

from .session import Session

KINDS = ("breaker", "deferred", "environment", "killed", "needs_access", "permanent", "transient")


@click.command(name="failures", epilog="Example: ingest failures --json")
@click.option("--json", "as_json", is_flag=True, help="Print the groups as JSON.")
@click.pass_obj
def list_failures(session: Session, as_json: bool) -> None:
    """Show which videos failed or wait.

    They are grouped by reason, with what to do, attempts in a row, and when each is tried again.
    """
    from ingestion_pipeline.failures import grouped
    from ingestion_pipeline.store.failures import all_failures

    with session.database() as database, database.connection() as connection:
        found = grouped(all_failures(connection))
    if as_json:
        click.echo(json.dumps([as_record(*group) for group in found], default=datetime.isoformat))
    else:
        click.echo("\n\n".join(as_text(*group) for group in found) or "no video has failed, and none waits")


@click.command(epilog="Example: ingest retry --type needs_access")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--type", "kind", type=click.Choice(KINDS), help="Only those that failed in this way.")
@click.option("--json", "as_json", is_flag=True, help="Print the keys of the videos as JSON.")
@click.pass_obj
def retry(session: Session, videos: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """Have videos that failed or wait tried again.

    All of them, or those that are named; the daemon takes them, or the next `ingest run`. A site that refused is asked
    again as well.
    """
    from ingestion_pipeline.politeness import ask_again
    from ingestion_pipeline.store.failures import make_due

    with session.database() as database, database.writing() as connection:
        due = make_due(connection, videos or None, kind)
        if lacking := set(videos) - {one.video for one in due}:
            of_kind = f" of type {kind}" if kind else ""
            what = f"No failure{of_kind} of {', '.join(sorted(lacking))}."
            raise VideoUnknown(what, "See `ingest failures`, or `ingest run VIDEO`.")
        ask_again(connection, [one.media_url for one in due if one.kind == "breaker"])
    if as_json:
        click.echo(json.dumps([one.video for one in due]))
    else:
        click.echo(f"{len(due)} due; the daemon takes them, or `ingest run`")


def as_record(kind: str, remedy: str, found: Sequence[Failure]) -> dict[str, object]:
    """Return a group as plain values."""
    videos = [{name: value for name, value in asdict(one).items() if name not in {"kind", "remedy"}} for one in found]
    return {"kind": kind, "remedy": remedy, "count": len(found), "videos": videos}


def as_text(kind: str, remedy: str, found: Sequence[Failure]) -> str:
    """Return a group for reading: what to do, then a line for each video."""
    return "\n".join([f"{len(found)} {kind.replace('_', ' ')}: {remedy}", *map(_line, found)])


def _line(failure: Failure) -> str:
    again = failure.retry_at
    when = f"again {again.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if again else "not again by itself"
    times = "once" if failure.attempts == 1 else f"{failure.attempts} times"
    return f"  {failure.video}  {failure.title}\n    {failure.asset}, {times}, {when}: {failure.reason}"


COMMANDS = (list_failures, retry)
