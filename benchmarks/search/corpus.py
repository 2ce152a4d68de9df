"""Videos of 200 passages: each a sentence that was said alone, so that the rule makes just one passage of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from ingestion_pipeline.embedding.embedder import MINILM
from ingestion_pipeline.records import Segment, Transcript, Video
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database

from .sentences import PER_VIDEO
from .vectors import Vectors

SOURCES = 10
"""A filter by source keeps a tenth of the videos."""
_SAID_S, _SILENT_S = 40.0, 10.0
"""Longer than the rule wants at least, and a silence that no passage crosses."""
_FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KnownVectors:
    """An embedder of texts whose vectors are known: what is measured is the writing, not the model."""

    vectors: dict[str, Vectors]
    model: str = MINILM
    dimensions: int = 384

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors (texts, dimensions)."""
        return np.array([self.vectors[text] for text in texts], np.float32).reshape(len(texts), self.dimensions)

    def query(self, text: str) -> Vectors:
        """Return the vector (dimensions) of a text."""
        return self.vectors[text]

    def of(self, model: str) -> "KnownVectors":
        """Return an embedder of another model; there is none."""
        raise NotImplementedError(model)


def add_transcripts(database: Database, texts: Sequence[str]) -> list[str]:
    """Add the videos with their transcripts, and return their keys."""
    videos = list(_videos(len(texts)))
    with database.writing() as connection:
        catalogue.save_videos(connection, videos)
        for number, video in enumerate(videos):
            said = texts[number * PER_VIDEO : (number + 1) * PER_VIDEO]
            transcripts.save_transcript(connection, video.key, _transcript(said))
    return [video.key for video in videos]


def _videos(passages: int) -> Iterator[Video]:
    for number in range(-(-passages // PER_VIDEO)):
        address, day = f"https://example.org/{number}", _FIRST_DAY + timedelta(days=number)
        source = f"source-{number % SOURCES}"
        name = f"bench-{number:06}"
        yield Video(name, source, "feed", name, address, address, f"Video {number}", source, day, language="en")


def _transcript(texts: Sequence[str]) -> Transcript:
    starts = [(_SAID_S + _SILENT_S) * number for number in range(len(texts))]
    segments = [Segment(start, start + _SAID_S, text) for start, text in zip(starts, texts, strict=True)]
    return Transcript("en", segments[-1].end, _SAID_S * len(texts), segments, "none", "bench")
