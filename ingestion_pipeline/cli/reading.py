"""`ingest search` and `ingest export`: what comes out."""

import json
import sys
from datetime import UTC, datetime

import click

from ingestion_pipeline.moments import clock
from ingestion_pipeline.records import Hit
from ingestion_pipeline.speech.formats import FORMATS

from .session import Session


@click.command(epilog='Example: ingest search "the lamp was dark" --since 2026-01-01 --by-video')
@click.argument("text")
@click.option("--source", help="Only videos of this source of sources.yaml.")
@click.option("--channel", help="Only videos of this channel.")
@click.option("--language", help="Only what is spoken in this language: en, de, ...")
@click.option("--since", type=click.DateTime(), help="Only what was published from then on (UTC).")
@click.option("--until", type=click.DateTime(), help="Only what was published before then (UTC).")
@click.option("--video", help="Only this video, by its key.")
@click.option("--by-video", is_flag=True, help="Show the best moment of each video only.")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100), help="Most moments to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the moments as JSON.")
@click.pass_obj
def search(
    session: Session,
    /,
    text: str,
    limit: int,
    by_video: bool,
    as_json: bool,
    since: datetime | None,
    until: datetime | None,
    **equal: str | None,
) -> None:
    """Find where something like TEXT is said, by its meaning and by its words."""
    from ingestion_pipeline.models import embedder
    from ingestion_pipeline.moments import find_moments
    from ingestion_pipeline.store.search import Filters

    filters = Filters(**equal, since=_utc(since), until=_utc(until))
    with session.database() as database:
        hits = find_moments(database, embedder(session.settings), text, limit, filters=filters, by_video=by_video)
    click.echo(json.dumps([as_record(hit) for hit in hits], indent=2) if as_json else as_text(hits))


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time else None


@click.command(epilog="Example: ingest export jNQXAC9IVRw --format srt > zoo.srt")
@click.argument("video")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="txt", show_default=True, help="Of output.")
@click.pass_obj
def export(session: Session, video: str, form: str) -> None:
    """Print the transcript of VIDEO."""
    from ingestion_pipeline.store.transcripts import transcript_of

    with session.database() as database, database.connection() as connection:
        transcript = transcript_of(connection, video)
    sys.stdout.write(FORMATS[form](transcript))


def as_record(hit: Hit) -> dict[str, object]:
    """Return a hit as plain values, times in seconds."""
    return {
        "video": hit.video.key,
        "title": hit.video.title,
        "start": hit.sentence.start,
        "end": hit.sentence.end,
        "text": hit.sentence.text,
        "marked": hit.marked,
        "passage": {"start": hit.passage.start, "end": hit.passage.end, "text": hit.passage.text},
        "score": hit.score,
        "link": hit.link,
    }


def as_text(hits: list[Hit]) -> str:
    """Return hits for reading: title and time, the sentence, the link."""
    if not hits:
        return "nothing found; is anything ingested, and left by the filters? See `ingest run`."
    return "\n\n".join(
        f"{hit.video.title}  {clock(hit.sentence.start)}  ({hit.score:.2f})\n  {hit.marked}\n  {hit.link}"
        for hit in hits
    )


COMMANDS = (search, export)
