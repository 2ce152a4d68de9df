"""Search: the moments in all videos that answer a text, each with a link that opens the video there."""

from collections.abc import Sequence

from numpy import float32
from numpy.typing import NDArray

from .embedding.embedder import Embedder
from .records import Hit, Segment, Video
from .store import search
from .store.database import Database
from .store.embedding_models import active_model
from .store.search import ALL, Filters, Found, Match


def find_moments(
    database: Database,
    embedder: Embedder,
    text: str,
    limit: int = 10,
    *,
    filters: Filters = ALL,
    by_video: bool = False,
) -> list[Hit]:
    """Return the passages that answer `text`, best first, and in each the sentence that answers best.

    The active model is asked, which until all is embedded anew is another than the embedder's. `by_video` gives the
    best of each video only. At most 100 are found, fewer where they overlap.
    """
    with database.connection() as connection:
        active = active_model(connection)
    if active is None:
        return []
    if active.name != embedder.model:
        embedder = embedder.of(active.name)
    query = embedder.query(text)
    with database.connection() as connection:
        found = search.hybrid(connection, active, query, text, 2 * search.CANDIDATES, filters)
        shown = _distinct(found, by_video=by_video)[:limit]
        said = search.sentences_of(connection, shown, text)
    heard = [(one, sentences) for one, sentences in zip(shown, said, strict=True) if sentences]
    best = _best(embedder, query, [sentences for _, sentences in heard])
    languages = [one.language for one, _ in heard]
    with database.connection() as connection:
        marked = search.marked(connection, [sentence.text for sentence in best], languages, text)
    return [
        Hit(one.video, one.passage, sentence, one.similarity, link_to(one.video, sentence.start), words)
        for (one, _), sentence, words in zip(heard, best, marked, strict=True)
    ]


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


def _distinct(found: Sequence[Found], *, by_video: bool) -> list[Found]:
    """Return those that share no sentence with a better one or, `by_video`, no video."""
    kept: list[Found] = []
    for one in found:
        if not any(one.video.key == better.video.key and (by_video or _overlap(one, better)) for better in kept):
            kept.append(one)
    return kept


def _overlap(one: Found, other: Found) -> bool:
    return one.passage.start < other.passage.end and other.passage.start < one.passage.end


def _best(embedder: Embedder, query: NDArray[float32], passages: Sequence[Sequence[Match]]) -> list[Segment]:
    """Return the best sentence of each passage: of those with all words of the query, else with some, the nearest.

    Only what has to be compared is embedded, at once: that of ten passages whole would take longer than all the rest.
    """
    choices = [_worded(passage) for passage in passages]
    texts = [sentence.text for sentences in choices if len(sentences) > 1 for sentence in sentences]
    nearness = dict(zip(texts, embedder.documents(texts) @ query, strict=True))
    return [max(sentences, key=lambda sentence: nearness.get(sentence.text, 0.0)) for sentences in choices]


def _worded(passage: Sequence[Match]) -> list[Segment]:
    most = max(said.words for said in passage)
    return [said.sentence for said in passage if said.words == most]
