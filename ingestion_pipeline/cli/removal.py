"""`ingest remove`: what goes out."""

import json
import sys
from pathlib import Path

import click

from ingestion_pipeline.errors import IngestionError

from .session import Session


@click.command(epilog="Example: ingest remove jNQXAC9IVRw")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@click.option("--json", "as_json", is_flag=True, help="Print the removed videos as JSON.")
@click.pass_obj
def remove(session: Session, videos: tuple[str, ...], as_json: bool) -> None:
    """Remove videos: their rows, audio and partitions.

    No listing adds them again; `ingest add` does. Files of a local folder stay. A video that is being worked on is left
    alone.
    """
    from ingestion_pipeline.removal import remove as remove_video

    removed = []
    with session.dagster() as instance, session.database() as database:
        from ingestion_pipeline.defs.jobs import partition_dropper

        for key in videos:
            try:
                audio = Path(session.settings.data_dir).resolve() / "audio"
                remove_video(database, key, audio, partition_dropper(instance))
                removed.append(key)
            except IngestionError as error:
                click.echo(f"not removed: {error}", err=True)
    click.echo(json.dumps(removed) if as_json else f"{len(removed)} of {len(videos)} videos removed")
    sys.exit(0 if len(removed) == len(videos) else 1)


COMMANDS = (remove,)
