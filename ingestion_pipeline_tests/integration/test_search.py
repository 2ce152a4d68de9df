"""Search on a real PostgreSQL: by words and by meaning, filtered, marked, and by the index that is there for it."""

import itertools
from datetime import UTC, datetime

import pytest
from pgvector import HalfVector
from psycopg import Connection
from psycopg.sql import SQL, Composed

from ingestion_pipeline import pipeline
from ingestion_pipeline.embedding.embedder import MINILM, Embedder, InProcessEmbedder
from ingestion_pipeline.moments import find_moments
from ingestion_pipeline.records import Video
from ingestion_pipeline.store import indexes
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.search import ALL, Filters, by_meaning, by_words, fused, nearest_query
from ingestion_pipeline_tests.support.examples import WordEmbedder, keep, video
from ingestion_pipeline_tests.support.passages import have_passages, random_vectors

WORDS = WordEmbedder()


def ingest(database: Database, one: Video, *texts: str, language: str = "en", embedder: Embedder = WORDS) -> None:
    keep(database, one, *texts, language=language)
    pipeline.embed(database, one.key, embedder, force=True, log=print)


def found(database: Database, text: str, **filters: object) -> list[str]:
    hits = find_moments(database, WORDS, text, 100, filters=Filters(**filters))  # type: ignore[arg-type]
    return [hit.video.title for hit in hits]


def test_a_moment_is_found_by_its_meaning_and_by_a_rare_word(database: Database) -> None:
    mini = InProcessEmbedder(MINILM)
    said = [
        "The dog growled at the postman.",
        "We spoke with Zyzzogeton about it.",
        "Bread needs flour and time.",
        "The train leaves at ten.",
        "Interest rates went up again.",
        "She painted the harbour at night.",
    ]
    for number, text in enumerate(said):
        ingest(database, video(number), text, embedder=mini)
    with database.connection() as connection:
        assert by_words(connection, "an animal that barks") == []
        assert by_words(connection, "what did Zyzzogeton say") == [(video(1).key, 0)]
    assert find_moments(database, mini, "an animal that barks")[0].sentence.text == said[0]
    assert find_moments(database, mini, "what did Zyzzogeton say")[0].sentence.text == said[1]


def test_the_sum_of_reciprocal_ranks_decides() -> None:
    one, two, three = ("a", 0), ("b", 0), ("c", 0)
    assert fused([one, two], [two, three]) == [two, one, three]
    assert fused([one, two], []) == [one, two]


def test_words_are_found_in_another_form_of_their_language(database: Database) -> None:
    ingest(database, video(1), "Die Häuser standen leer.", language="de")
    ingest(database, video(2), "The houses stood empty.")
    ingest(database, video(3), "Talot olivat tyhjiä.", language="ja")
    with database.connection() as connection:
        assert by_words(connection, "Haus") == [(video(1).key, 0)]
        assert by_words(connection, "house") == [(video(2).key, 0)]
        assert by_words(connection, "talot") == [(video(3).key, 0)]


def test_all_words_come_before_some_and_a_rare_word_before_a_frequent_one(database: Database) -> None:
    for number in range(5):
        ingest(database, video(number), f"Bread number {number}.")
    ingest(database, video(5), "Honey from the hive.")
    ingest(database, video(6), "Honey on bread.")
    with database.connection() as connection:
        keys = [key for key, _ in by_words(connection, "bread with honey and ambergris")]
        assert keys[:2] == [video(6).key, video(5).key]
        assert len(keys) == 7
        assert by_words(connection, "the and of") == []
        assert by_words(connection, "' \" & | ! :* \\ <-> (") == []


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({}, {"Video 1", "Video 2", "Video 3"}),
        ({"source": "s1"}, {"Video 1"}),
        ({"channel": "c2"}, {"Video 2", "Video 3"}),
        ({"language": "de"}, {"Video 3"}),
        ({"video": video(2).key}, {"Video 2"}),
        ({"since": datetime(2026, 2, 1, tzinfo=UTC)}, {"Video 2", "Video 3"}),
        ({"until": datetime(2026, 2, 1, tzinfo=UTC)}, {"Video 1"}),
        ({"channel": "c2", "until": datetime(2026, 3, 1, tzinfo=UTC)}, {"Video 2"}),
        ({"source": "s1", "channel": "c2"}, set()),
    ],
)
def test_filters_leave_what_they_say(database: Database, filters: dict[str, object], left: set[str]) -> None:
    for number, (source, channel, month, language) in enumerate(
        [("s1", "c1", 1, "en"), ("s2", "c2", 2, "en"), ("s3", "c2", 3, "de")], 1
    ):
        published = datetime(2026, month, 1, tzinfo=UTC)
        one = video(number, source=source, channel=channel, published_at=published)
        ingest(database, one, "Honey is sweet.", language=language)
    assert set(found(database, "honey", **filters)) == left
    with database.connection() as connection:
        titles = {f"Video {int(key[-1])}" for key, _ in by_words(connection, "honey", 10, Filters(**filters))}  # type: ignore[arg-type]
    assert titles == left


def test_the_sentence_with_all_the_words_is_the_one_and_they_are_marked(database: Database) -> None:
    ingest(database, video(1), "The keeper sleeps.", "Two bakers baked <b>bread</b> at night.", "Bread is bread.")
    (hit,) = find_moments(database, WORDS, "baking bread")
    assert hit.sentence.text == "Two bakers baked <b>bread</b> at night."
    assert hit.marked == "Two bakers **baked** <b>**bread**</b> at night."
    assert hit.passage.text.startswith("The keeper sleeps. Two bakers")
    assert hit.link == "https://example.org/one.opus#t=5"


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("late trains", ["the train is late"]),
        ("sweet honey ambergris", ["the honey is sweet"]),
        ("honey in a late train", ["the honey is sweet", "the train is late"]),
        ("the is", ["the sea is wide", "the honey is sweet", "the train is late"]),
    ],
)
def test_sentences_are_compared_by_meaning_only_where_words_leave_several(
    database: Database, text: str, choices: list[str]
) -> None:
    ingest(database, video(1), "the sea is wide", "the honey is sweet", "the train is late")
    embedder = WordEmbedder()
    (hit,) = find_moments(database, embedder, text)
    assert embedder.embedded == (choices if len(choices) > 1 else [])
    assert hit.sentence.text == max(choices, key=lambda one: embedder.query(one) @ embedder.query(text))


def test_passages_that_share_a_sentence_are_one_hit_and_a_video_may_be_one(database: Database) -> None:
    texts = [f"Honey number {number} is sweet." for number in range(40)]
    ingest(database, video(1), *texts)
    ingest(database, video(2), "Honey.")
    hits = find_moments(database, WORDS, "honey number", 50)
    spans = sorted((hit.passage.start, hit.passage.end) for hit in hits if hit.video.key == video(1).key)
    assert len(spans) > 2
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    by_video = find_moments(database, WORDS, "honey number", 50, by_video=True)
    assert sorted(hit.video.key for hit in by_video) == [video(1).key, video(2).key]


def test_a_query_of_ten_thousand_words_is_answered(database: Database) -> None:
    ingest(database, video(1), "Honey.")
    assert len(find_moments(database, WORDS, " ".join(f"word{number}" for number in range(10_000)))) == 1


def test_nothing_embedded_is_nothing_found_and_loads_no_model(database: Database) -> None:
    assert find_moments(database, InProcessEmbedder("/no/such/model"), "honey") == []


def test_the_index_serves_a_query_and_a_filtered_one(database: Database) -> None:
    model = have_passages(database, "m", videos=50)
    indexes.have_index(database, model, print, exact_under=1)
    with database.connection() as connection:
        for filters in (ALL, Filters(source="source 1")):
            plan = explained(connection, nearest_query(model, filters, exact=False), filters)
            assert "Index Scan using embeddings_hnsw_1" in plan
            assert "embeddings_hnsw_1" not in explained(connection, nearest_query(model, filters, exact=True), filters)


def explained(connection: Connection, query: Composed, filters: Filters) -> str:
    values = {"query": HalfVector(random_vectors(99, 1, 64)[0]).to_text(), "limit": 50, **vars(filters)}
    return "\n".join(line for (line,) in connection.execute(SQL("explain ") + query, values))


def test_a_filter_that_leaves_a_tenth_gives_as_many_as_were_asked_for(database: Database) -> None:
    model = have_passages(database, "m", videos=50)
    indexes.have_index(database, model, print, exact_under=1)
    query, filters = random_vectors(99, 1, 64)[0], Filters(source="source 1")
    with database.connection() as connection:
        keys = by_meaning(connection, model, query, 50, filters, exact=False)
        nearest = by_meaning(connection, model, query, 50, filters, exact=True)
        assert len(keys) == len(nearest) == 50
        assert len(set(keys[:10]) & set(nearest[:10])) >= 9
        statement = nearest_query(model, filters, exact=False)
        values = {"query": HalfVector(query).to_text(), "limit": 50, **vars(filters)}
        connection.execute("set hnsw.iterative_scan = off")
        assert len(connection.execute(statement, values).fetchall()) < 50


def test_where_the_index_gives_up_on_a_filter_all_that_it_leaves_is_compared(database: Database) -> None:
    model = have_passages(database, "m", videos=50)
    indexes.have_index(database, model, print, exact_under=1)
    query, filters = random_vectors(99, 1, 64)[0], Filters(video=video(1).key)
    with database.connection() as connection:
        connection.execute("set hnsw.max_scan_tuples = 1")
        assert len(by_meaning(connection, model, query, 50, filters, exact=False)) < 50
        nearest = by_meaning(connection, model, query, 50, filters, exact=True)
        assert by_meaning(connection, model, query, 50, filters, exact_under=1) == nearest
