"""`ingest demo`: the whole way on a podcast of our own, without a download."""

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.embedding.embedder import MINILM
from ingestion_pipeline.moments import clock
from ingestion_pipeline.records import Hit, Video
from ingestion_pipeline.store.database import Database

from .ingestion import Ingested, ingest_videos, list_sources
from .session import Session

NEWEST = 5
UNSET = ("database_url", "dagster_database_url", "ingestion_limit", "model_server_url")
"""Settings of the environment that would take the demonstration elsewhere, or end it early."""
WITHIN_S = 2.0
"""How near a search has to come to the spoken moment."""


@dataclass(frozen=True)
class Question:
    """A search, and the sentence of an episode that it has to find."""

    text: str
    episode: str
    sentence: str


QUESTIONS = (
    Question("when does the train depart", "the-night-train", "leaves the city at ten"),
    Question("how old is the oven", "bread-before-sunrise", "built that oven fifty years ago"),
    Question("she carried a candle up the tower", "the-keeper-of-the-lighthouse", "to the lamp with a candle"),
)


@click.command(epilog="Example: ingest demo")
@click.pass_obj
def demo(session: Session) -> None:
    """Take a small podcast from feed to search.

    Five episodes go through discovery, yt-dlp over HTTP, faster-whisper, MiniLM and PostgreSQL, on this machine alone;
    then three searches find their moments. What is there from an earlier demo is not done again.
    """
    from ingestion_pipeline.demo.podcast import podcast

    folder = session.settings.data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with podcast() as feed:
        demo_session = demo_session_in(folder, feed)
        with demo_session.server(), demo_session.model_server_ended():
            ingested = ingested_episodes(demo_session)
            found = [answered(demo_session, question) for question in QUESTIONS]
    click.echo(NEXT.format(ingest=command(), env=folder / ".env"))
    click.echo(f"demo: episodes={NEWEST} ingested={len(ingested)} searches={len(QUESTIONS)} found={sum(found)}")
    sys.exit(0 if len(ingested) == NEWEST and all(found) else 1)


def command() -> str:
    """Return how `ingest` is called from here: by its path where the virtual environment is not activated."""
    return (
        "ingest" if shutil.which("ingest") else shlex.quote(os.path.relpath(Path(sys.executable).with_name("ingest")))
    )


def demo_session_in(folder: Path, feed: str) -> Session:
    """Return a session with the demo's own settings, written to `folder`/.env for later commands."""
    sources = folder / "sources.yaml"
    sources.write_text(f"sources:\n  - name: demo\n    feed: {feed}\n    newest: {NEWEST}\n    language: en\n")
    settings = {
        "DATA_DIR": folder,
        "SOURCES_FILE": sources,
        "WHISPER_MODEL": "demo-en",
        "WHISPER_DEVICE": "cpu",
        "WHISPER_COMPUTE": "int8",
        "EMBEDDING_MODEL": MINILM,
        "ALLOW_PRIVATE_ADDRESSES": True,
    }
    lines = [f"{name}='{value}'\n" for name, value in settings.items()]
    (folder / ".env").write_text("# Written by `ingest demo`.\n" + "".join(lines))
    overrides = {name.lower(): value for name, value in settings.items()}
    return Session(str(folder / ".env"), **dict.fromkeys(UNSET), **overrides)


def ingested_episodes(session: Session) -> list[str]:
    """Ingest the episodes that are not there yet, print how each of all stands, and return those that are there."""
    list_sources(session)
    fared = {one.video: one for one in ingest_videos(session, [], limit=None, force=False)}
    click.echo(f"\n{'episode':32}{'audio':>8}{'segments':>10}{'words':>7}{'took':>10}")
    with session.database() as database:
        wanted = listed(session)
        for video in wanted:
            click.echo(line_of(database, video, fared.get(video.key)))
    return [video.key for video in wanted if video.key not in fared or fared[video.key].done]


def listed(session: Session) -> list[Video]:
    """Return the episodes that the feed names."""
    from ingestion_pipeline.sources.config import read_sources
    from ingestion_pipeline.sources.listing import list_source

    (source,) = read_sources(session.settings.sources_file)
    return list(list_source(source, on_warning=click.echo, allow_private=True).videos)


def line_of(database: Database, video: Video, fared: Ingested | None) -> str:
    """Return the line of the table for an episode."""
    from ingestion_pipeline.store.transcripts import transcript_of

    if fared and not fared.done:
        return f"{video.title:32}{fared.failure or fared.waits}"
    with database.connection() as connection:
        transcript = transcript_of(connection, video.key)
    segments, words = len(transcript.segments), len(transcript.text.split())
    took = f"{fared.seconds:.1f}s" if fared else "unchanged"
    return f"{video.title:32}{clock(transcript.duration_s):>8}{segments:>10}{words:>7}{took:>10}"


def answered(session: Session, question: Question) -> bool:
    """Search, print the best moment, and tell whether it is the right one."""
    from ingestion_pipeline.models import embedder
    from ingestion_pipeline.moments import find_moments

    with session.database() as database:
        hits = find_moments(database, embedder(session.settings), question.text, 1)
    right = bool(hits) and _is_moment(hits[0], question)
    click.echo(f'\nsearch "{question.text}"' + ("" if right else "  (not the moment)"))
    for hit in hits:
        click.echo(f"  {hit.video.title}, {clock(hit.sentence.start)}: {hit.sentence.text}\n  {hit.link}")
    return right


def _is_moment(hit: Hit, question: Question) -> bool:
    file = next(file for file in EPISODES if file.stem == question.episode)
    about = json.loads(file.with_suffix(".json").read_text())
    spoken = next(said for said in about["spoken"] if question.sentence in said["text"])
    return bool(hit.video.title == about["title"] and abs(hit.sentence.start - spoken["start"]) <= WITHIN_S)


NEXT = """
Try next:
  {ingest} --env {env} search "the storm at the lighthouse"
  {ingest} --env {env} search "golden clock" --json
  {ingest} --env {env} dev
  cp .env.example .env && cp sources.example.yaml sources.yaml && {ingest} doctor
"""

COMMANDS = (demo,)
