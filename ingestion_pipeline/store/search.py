"""Search: passages by meaning and by words, and the sentences of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from numpy import float32
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection
from psycopg.sql import SQL, Composable, Composed, Literal

from ingestion_pipeline.records import Passage, Segment, Video

from .embedding_models import EmbeddingModel
from .queries import queries

_SQL = queries("search")
CANDIDATES = 50
"""Of each ranking, that are fused."""
_RANK_CONSTANT = 60
"""Of reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009."""
_EF_SEARCH = 100
"""Neighbours that an index keeps in view: recall@10 of 0.989 with MiniLM's vectors, in place of 0.957 with the 40."""
EXACT_UNDER = 20_000
"""So few passages, all or what a filter leaves of them, are compared one by one: it takes no longer, misses nothing."""
_MOST_MATCHES, _MOST_WORDS = 1000, 32
"""Passages that are looked at for a word, and words of a query: what is more frequent says little."""

Key = tuple[str, int]
"""Of a passage: its video and its place there."""


@dataclass(frozen=True)
class Filters:
    """Which videos are searched; `language` is a code of Whisper's, published from `since` up to, not at, `until`."""

    source: str | None = None
    channel: str | None = None
    language: str | None = None
    video: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = Filters()


@dataclass(frozen=True)
class Found:
    """A passage, its place among those of its video, its language; `similarity` to the query, a cosine, at most 1."""

    video: Video
    passage: Passage
    index: int
    language: str
    similarity: float


@dataclass(frozen=True)
class Match:
    """A sentence in a passage; `words` is 2 where it has all words of the query, 1 where some, 0 where none."""

    sentence: Segment
    words: int


def hybrid(
    connection: Connection,
    model: EmbeddingModel,
    query: NDArray[float32],
    text: str,
    limit: int = CANDIDATES,
    filters: Filters = ALL,
) -> list[Found]:
    """Return the passages that answer `text`, whose vector by `model` is `query` (dimensions), best first."""
    rankings = by_meaning(connection, model, query, CANDIDATES, filters), by_words(connection, text, filters=filters)
    return passages_at(connection, model, query, fused(*rankings)[:limit])


def fused(*rankings: Sequence[Key]) -> list[Key]:
    """Return the keys of several rankings in one: the sum of 1 / (60 + place) decides."""
    scores = Counter[Key]()
    for ranking in rankings:
        for place, key in enumerate(ranking, 1):
            scores[key] += 1 / (_RANK_CONSTANT + place)  # type: ignore[assignment]
    return [key for key, _ in scores.most_common()]


def by_meaning(
    connection: Connection,
    model: EmbeddingModel,
    query: NDArray[float32],
    limit: int = CANDIDATES,
    filters: Filters = ALL,
    *,
    exact: bool | None = None,
    exact_under: int = EXACT_UNDER,
) -> list[Key]:
    """Return the passages nearest to a vector, nearest first, by the model's index where it has one.

    `exact` compares one by one; None does so where the filters leave fewer than `exact_under`, or only such as are so
    far from the vector that the index gives up. Some of the passages may have another text since the model embedded
    them: `passages_at` leaves those out.
    """
    values = {"query": HalfVector(query).to_text(), "limit": limit, **vars(filters)}
    with connection.transaction():
        connection.execute(_SQL["settings"], {"ef_search": str(max(_EF_SEARCH, min(limit, 1000)))})
        one_by_one = _leaves_few(connection, filters, exact_under) if exact is None else exact
        found = connection.execute(nearest_query(model, filters, exact=one_by_one), values).fetchall()
        if exact is None and not one_by_one and filters != ALL and len(found) < limit:
            found = connection.execute(nearest_query(model, filters, exact=True), values).fetchall()
        return found


def by_words(connection: Connection, text: str, limit: int = CANDIDATES, filters: Filters = ALL) -> list[Key]:
    """Return the passages that have all words of a text, the closer together the better, then those that have some."""
    values = {**vars(filters), "text": text, "limit": limit, "most": _MOST_MATCHES, "most_words": _MOST_WORDS}
    all_words, words = connection.execute(_SQL["asked"], values).fetchone() or (None, [])
    if not words:
        return []
    values |= {"all_words": all_words, "words": words}
    found = connection.execute(_with(_SQL["all_words"], filters, "p"), values).fetchall()
    if len(found) < limit and len(words) > 1:
        found += connection.execute(_with(_SQL["any_word"], filters, "p"), values).fetchall()
    return list(dict.fromkeys(found))[:limit]


def passages_at(
    connection: Connection, model: EmbeddingModel, query: NDArray[float32], keys: Sequence[Key]
) -> list[Found]:
    """Return the passages of some keys in the same order, but for those that `model` has not embedded."""
    videos, indices = [video for video, _ in keys], [index for _, index in keys]
    values = {"videos": videos, "indices": indices, "model": model.id, "query": HalfVector(query).to_text()}
    rows = connection.execute(_SQL["passages"], values)
    return [Found(Video(*row[:12]), Passage(*row[12:15]), *row[15:]) for row in rows]


def sentences_of(connection: Connection, found: Sequence[Found], text: str) -> list[list[Match]]:
    """Return the sentences of each passage."""
    values = {
        "videos": [one.video.key for one in found],
        "starts": [one.passage.start for one in found],
        "ends": [one.passage.end for one in found],
        "languages": [one.language for one in found],
        "text": text,
    }
    said: list[list[Match]] = [[] for _ in found]
    for place, rows in groupby(connection.execute(_SQL["sentences"], values), key=lambda row: int(row[0])):
        said[place - 1] = [Match(Segment(*row[1:-1]), row[-1]) for row in rows]
    return said


def marked(connection: Connection, sentences: Sequence[str], languages: Sequence[str], text: str) -> list[str]:
    """Return sentences with the words that `text` has between two stars, in whatever form."""
    values = {"sentences": list(sentences), "languages": list(languages), "text": text}
    return [sentence for (sentence,) in connection.execute(_SQL["marked"], values)]


def nearest_query(model: EmbeddingModel, filters: Filters, *, exact: bool) -> Composed:
    """Return the query by meaning; the model's index serves it where model and length stand in it, unless `exact`."""
    indexed = SQL("(e.embedding::halfvec({}))").format(Literal(model.dimensions))
    embedding = SQL("e.embedding") if exact else indexed
    chosen = _chosen(filters, "e")
    if not exact and filters != ALL:
        # Not a join: the planner would read all that the filter leaves, and sort it.
        chosen = SQL("({}) is true").format(chosen)
    return SQL(_SQL["nearest"]).format(embedding=embedding, model=Literal(model.id), chosen=chosen)


def _leaves_few(connection: Connection, filters: Filters, few: int) -> bool:
    if filters == ALL:
        return False
    values = {**vars(filters), "most": few}
    row = connection.execute(_with(_SQL["count_up_to"], filters, "p"), values).fetchone()
    return row is not None and row[0] < few


def _with(query: str, filters: Filters, table: str) -> Composed:
    return SQL(query).format(chosen=_chosen(filters, table))


def _chosen(filters: Filters, table: str) -> Composable:
    """Return the condition that a table's video is one of those that the filters leave."""
    conditions = [SQL(_CONDITIONS[name]) for name, value in vars(filters).items() if value is not None]
    if not conditions:
        return SQL("true")
    videos = SQL("select v.key from videos v join transcripts t on t.video = v.key where {}")
    return SQL("{}.video in ({})").format(SQL(table), videos.format(SQL(" and ").join(conditions)))


_CONDITIONS = {
    "source": "v.source = %(source)s",
    "channel": "v.channel = %(channel)s",
    "language": "t.language = %(language)s",
    "video": "v.key = %(video)s",
    "since": "v.published_at >= %(since)s",
    "until": "v.published_at < %(until)s",
}
