"""Videos, transcripts and vectors for tests."""

import dataclasses
import hashlib
from datetime import UTC, datetime

import numpy as np

from ingestion_pipeline.records import Segment, Transcript, Video
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database

VIDEO = Video(
    key="feed-0123456789ab",
    source="podcast",
    extractor="feed",
    source_id="urn:one",
    media_url="https://example.org/one.opus",
    page_url="https://example.org/one",
    title="The first",
    channel="A podcast",
    published_at=datetime(2026, 1, 5, 6, tzinfo=UTC),
    duration_s=60.0,
    language="en",
)


def video(number: int, **changes: object) -> Video:
    """Return a video of its own for each number."""
    names = {"key": f"feed-{number:012x}", "source_id": f"urn:{number}", "title": f"Video {number}"}
    return dataclasses.replace(VIDEO, **{**names, **changes})  # type: ignore[arg-type]


def transcript(*texts: str, fingerprint: str = "f1") -> Transcript:
    """Return a transcript with a sentence of 4 s every 5 s."""
    segments = [Segment(5.0 * number, 5.0 * number + 4, text, -0.1, 1.2, 0.01) for number, text in enumerate(texts)]
    return Transcript("en", 5.0 * len(texts), 4.0 * len(texts), segments, "demo-en", fingerprint)


def keep(database: Database, video: Video, *texts: str, language: str = "en") -> None:
    """Save a video and what is said in it, a sentence of 4 s every 5 s."""
    said = dataclasses.replace(transcript(*texts, fingerprint=" ".join(texts)), language=language)
    with database.writing() as connection:
        catalogue.save_videos(connection, [video])
        transcripts.save_transcript(connection, video.key, said)


class WordEmbedder:
    """A real, tiny embedder: each text is the normalised sum of a fixed random vector for each word."""

    dimensions = 16

    def __init__(self, model: str = "words") -> None:
        self.model, self.embedded = model, list[str]()

    def documents(self, texts: list[str]) -> np.ndarray:
        """Return vectors (texts, 16), and note the texts in `embedded`."""
        self.embedded.extend(texts)
        return np.array([self.query(text) for text in texts], np.float32).reshape(len(texts), self.dimensions)

    def of(self, model: str) -> "WordEmbedder":
        """Return that of another model."""
        return WordEmbedder(model)

    def query(self, text: str) -> np.ndarray:
        """Return a vector (16) of length 1."""
        total = sum(_vector(f"{self.model} {word}") for word in text.lower().split() or [""])
        return (total / np.linalg.norm(total)).astype(np.float32)


def _vector(word: str) -> np.ndarray:
    seed = hashlib.sha256(word.encode()).digest()
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(WordEmbedder.dimensions)
