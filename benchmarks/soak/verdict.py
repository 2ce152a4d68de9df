"""What became of each video: right, explained, torn or lost; and what is left over."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from benchmarks.asr.runner import word_error_rate
from ingestion_pipeline.audio.files import sha256_of
from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.private_folders import socket_folder
from ingestion_pipeline.store.transcripts import audio_of, transcript_of

_COUNTS = """
select v.key, v.title, case when f.retry_at is null then f.kind end as given_up, e.video is not null as done,
       (select count(*) from passages p where p.video = v.key) as passages,
       (select count(*) from embeddings m where m.video = v.key) as embeddings
from videos v
left join failures f on f.video = v.key
left join embedded_videos e on e.video = v.key
order by v.key"""

_SHORTEST_SENTENCE = 3
"""In words: a transcript that lacks a sentence, or has one twice, differs in length by as many."""
_OTHER_WORDS = 0.2
"""Two short recordings of sixteen were heard otherwise by the model server, at most three words of 26."""


@dataclass(frozen=True)
class Verdict:
    """Names of the videos by what became of them."""

    right: list[str]
    explained: list[str]
    torn: list[str]
    lost: list[str]


def verdict(connection: Connection, texts: Mapping[str, str], gone: Set[str]) -> Verdict:
    """Judge every video of `texts`, which gives for each title what is said in it; `gone` are not to be had."""
    judged: dict[str, list[str]] = {"right": [], "explained": [], "torn": [], "lost": []}
    found = {row[1]: row for row in connection.execute(_COUNTS)}
    for title, text in texts.items():
        judged[_fate(connection, found.get(title), text, gone=title in gone)].append(title)
    return Verdict(**judged)


def settled(connection: Connection) -> int:
    """Return how many videos are done, or failed for good."""
    return sum(1 for _, _, given_up, done, _, _ in connection.execute(_COUNTS) if given_up or done)


def left_over(data: Path) -> list[str]:
    """Return files that a finished backfill has no use for: parts of downloads, sockets."""
    sockets = socket_folder(data / "model-server")
    parts = [path for path in (data / "audio").rglob("*") if ".partial" in path.parent.parts]
    return [str(path) for path in [*parts, *(sockets.iterdir() if sockets.exists() else [])]]


def _fate(connection: Connection, row: tuple[object, ...] | None, text: str, *, gone: bool) -> str:
    if row is None:
        return "lost"
    key, _, given_up, done, passages, embeddings = row
    if not done:
        return "explained" if gone and given_up == Permanent.kind else "lost"
    audio = audio_of(connection, str(key))
    whole = audio is not None and sha256_of(audio.path) == audio.sha256 and passages == embeddings and passages
    return "right" if whole and _same_speech(text, transcript_of(connection, str(key)).text) else "torn"


def _same_speech(text: str, heard: str) -> bool:
    """Allow for other words in a few places, as the model server was seen to hear them, but for no gap."""
    longer_by = len(heard.split()) - len(text.split())
    return abs(longer_by) < _SHORTEST_SENTENCE and word_error_rate([text], [heard]) <= _OTHER_WORDS
