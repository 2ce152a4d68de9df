"""Search: the moments in all videos that answer a text, each with a link that opens the video there."""

from collections.abc import Sequence

from .embedding.embedder import Embedder
from .records import Hit, Segment, Video
from .store.database import Database
from .store.search import Found, nearest_passages


def find_moments(database: Database, embedder: Embedder, text: str, limit: int = 10) -> list[Hit]:
    """Return the passages that answer `text`, best first, and in each the sentence that answers best."""
    query = embedder.query(text)
    with database.connection() as connection:
        found = nearest_passages(connection, embedder.model, query, limit)
    sentences = [segment.text for one in found for segment in one.segments]
    scores = iter(embedder.documents(sentences) @ query)
    return [_hit(one, [next(scores) for _ in one.segments]) for one in found if one.segments]


def link_to(video: Video, seconds: float) -> str:
    """Return the address that opens a video at a second."""
    if video.extractor == "Youtube":
        return f"https://youtu.be/{video.source_id}?t={int(seconds)}"
    page = video.media_url if video.extractor == "feed" else video.page_url
    return f"{page}#t={int(seconds)}"


def clock(seconds: float) -> str:
    """Return a time as a player shows it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _hit(found: Found, scores: Sequence[float]) -> Hit:
    _, sentence = max(zip(scores, found.segments, strict=True), key=_score)
    return Hit(found.video, found.passage, sentence, found.similarity, link_to(found.video, sentence.start))


def _score(scored: tuple[float, Segment]) -> float:
    return scored[0]
