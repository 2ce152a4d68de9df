"""`ingest reembed`: a change of the embedding model, without a gap in the search."""

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from ingestion_pipeline.store.database import Database

from .session import Session, tell

if TYPE_CHECKING:
    from dagster import DagsterInstance


@dataclass(frozen=True)
class Reembedded:
    """What was done: passages `embedded` now, in `seconds`; which model searches ask, which ones were dropped."""

    model: str
    embedded: int
    seconds: float
    searches_ask: str | None
    lacking: int
    recall: float | None
    dropped: list[str]


@click.command(epilog="Example: ingest reembed --drop-old")
@click.option("--drop-old", is_flag=True, help="Delete the vectors of other models, once searches ask the new one.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def reembed(session: Session, drop_old: bool, as_json: bool) -> None:
    """Embed all stored passages by EMBEDDING_MODEL.

    No audio and no transcript is touched. Searches ask the former model until the new one has embedded all, its index
    is built and finds well; then they switch. When this is interrupted, the next call goes on.
    """
    done = _reembedded(session, drop_old=drop_old)
    switched = done.searches_ask in {None, done.model}
    click.echo(json.dumps(asdict(done)) if as_json else as_text(done))
    if not switched and not as_json:
        click.echo(f"Searches still ask {done.searches_ask}; run this again.", err=True)
    sys.exit(0 if switched else 1)


def _reembedded(session: Session, *, drop_old: bool) -> Reembedded:
    from ingestion_pipeline import reembedding
    from ingestion_pipeline.models import embedder

    with session.dagster() as instance, session.database() as database:
        wanted, started = embedder(session.settings), time.monotonic()
        embedded = reembedding.reembed(database, wanted, tell)
        seconds = time.monotonic() - started
        upkeep = reembedding.keep_up(database, wanted.model, tell)
        _report(instance, database, wanted.model)
        asked = upkeep.active.name if upkeep else None
        dropped = reembedding.drop_others(database, tell) if drop_old and asked == wanted.model else []
    return Reembedded(
        wanted.model,
        embedded,
        round(seconds, 3),
        asked,
        upkeep.uncovered if upkeep else 0,
        upkeep.recall if upkeep else None,
        dropped,
    )


def _report(instance: "DagsterInstance", database: Database, model: str) -> None:
    """Let the UI know which partitions are embedded by the model now, those of an interrupted call as well."""
    from ingestion_pipeline.defs.staleness import report_reembedded
    from ingestion_pipeline.store import embedding_models, embeddings

    with database.connection() as connection:
        known = embedding_models.model_named(connection, model)
        fingerprints = embeddings.fingerprints(connection, known) if known else {}
    report_reembedded(instance, fingerprints, model)


def as_text(done: Reembedded) -> str:
    """Return what was done, for reading."""
    rate = (
        f" in {done.seconds:.0f} s, {done.embedded / done.seconds:.0f} a second"
        if done.embedded and done.seconds
        else ""
    )
    dropped = f"; dropped {', '.join(done.dropped)}" if done.dropped else ""
    return f"{done.embedded} passages embedded by {done.model}{rate}{dropped}"


COMMANDS = (reembed,)
