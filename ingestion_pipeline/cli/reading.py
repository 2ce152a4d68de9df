"""`ingest search` and `ingest export`: what comes out."""

import json
import sys

import click

from ingestion_pipeline.moments import clock
from ingestion_pipeline.records import Hit
from ingestion_pipeline.speech.formats import FORMATS

from .session import Session


@click.command(epilog='Example: ingest search "the lamp was dark" --limit 3')
@click.argument("text")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100), help="Most moments to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the moments as JSON.")
@click.pass_obj
def search(session: Session, text: str, limit: int, as_json: bool) -> None:
    """Find where something like TEXT is said."""
    from ingestion_pipeline.models import embedder
    from ingestion_pipeline.moments import find_moments

    with session.database() as database:
        hits = find_moments(database, embedder(session.settings), text, limit)
    click.echo(json.dumps([as_record(hit) for hit in hits], indent=2) if as_json else as_text(hits))


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
        "passage": {"start": hit.passage.start, "end": hit.passage.end, "text": hit.passage.text},
        "score": hit.score,
        "link": hit.link,
    }


def as_text(hits: list[Hit]) -> str:
    """Return hits for reading: title and time, the sentence, the link."""
    if not hits:
        return "nothing found; is anything ingested? See `ingest run`."
    return "\n\n".join(
        f"{hit.video.title}  {clock(hit.sentence.start)}  ({hit.score:.2f})\n  {hit.sentence.text}\n  {hit.link}"
        for hit in hits
    )


COMMANDS = (search, export)
