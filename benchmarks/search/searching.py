"""The ways of searching that are compared; all give ten passages, and get the vector of the question ready made."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from psycopg import Connection

from ingestion_pipeline.moments import find_moments
from ingestion_pipeline.store import search
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import EmbeddingModel, active_model
from ingestion_pipeline.store.search import ALL, Filters, Found

from .corpus import KnownVectors
from .timing import Answers, asked
from .vectors import Vectors

_LIMIT = 10
A_TENTH = Filters(source="source-0")


@dataclass(frozen=True)
class Question:
    """What is asked, and its vector (dimensions)."""

    text: str
    vector: Vectors


Way = Callable[[Connection, EmbeddingModel, Filters, Question], list[Found]]


def hybrid(connection: Connection, model: EmbeddingModel, filters: Filters, question: Question) -> list[Found]:
    """Search by meaning and by words."""
    return search.hybrid(connection, model, question.vector, question.text, _LIMIT, filters)


def by_vector(
    connection: Connection, model: EmbeddingModel, filters: Filters, question: Question, *, exact: bool | None
) -> list[Found]:
    """Search by meaning alone: in the index, `exact`, or None: as the search itself chooses."""
    keys = search.by_meaning(connection, model, question.vector, _LIMIT, filters, exact=exact)
    return search.passages_at(connection, model, question.vector, keys)


def by_text(connection: Connection, model: EmbeddingModel, filters: Filters, question: Question) -> list[Found]:
    """Search by words alone."""
    keys = search.by_words(connection, question.text, _LIMIT, filters)
    return search.passages_at(connection, model, question.vector, keys)


WAYS: dict[str, Way] = {
    "exact scan": partial(by_vector, exact=True),
    "index": partial(by_vector, exact=False),
    "vector": partial(by_vector, exact=None),
    "text": by_text,
    "hybrid": hybrid,
}
_WITH_RECALL = ("exact scan", "index", "vector")


def compared(database: Database, questions: Sequence[Question]) -> Iterator[dict[str, object]]:
    """Yield a row for each way, without and with a filter; recall is against the exact scan with the same filter."""
    with database.connection() as connection:
        model = active_model(connection)
        assert model is not None
        for filters in (ALL, A_TENTH):
            answers = {name: _answers(way, connection, model, filters, questions) for name, way in WAYS.items()}
            for name, found in answers.items():
                recall = found.recall(answers["exact scan"]) if name in _WITH_RECALL else None
                yield _row(name, filters, found, recall)
    for filters in (ALL, A_TENTH):
        yield _row("hybrid, to the sentence", filters, _moments(database, filters, questions), None)


def _answers(
    way: Way, connection: Connection, model: EmbeddingModel, filters: Filters, questions: Sequence[Question]
) -> Answers:
    def ask(question: Question) -> list[Hashable]:
        return [(found.video.key, found.index) for found in way(connection, model, filters, question)]

    return asked(ask, questions)


def _moments(database: Database, filters: Filters, questions: Sequence[Question]) -> Answers:
    """Search as `ingest search` does: with connections of its own, the sentence chosen and its words marked."""
    embedder = KnownVectors({question.text: question.vector for question in questions})

    def ask(question: Question) -> list[Hashable]:
        hits = find_moments(database, embedder, question.text, _LIMIT, filters=filters)
        return [(hit.video.key, hit.sentence.start) for hit in hits]

    return asked(ask, questions)


def _row(way: str, filters: Filters, found: Answers, recall: float | None) -> dict[str, object]:
    return {
        "way": way,
        "filtered": filters != ALL,
        "p50_ms": found.percentile(50),
        "p95_ms": found.percentile(95),
        "recall": recall,
    }
