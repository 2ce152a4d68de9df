"""The search benchmark on 400 passages with random vectors: it measures what it says, and carries growth on rightly."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import sentences
from benchmarks.search.corpus import KnownVectors
from benchmarks.search.growth import carried_on, growth_table
from benchmarks.search.measure import measured
from benchmarks.search.report import closing_line, page, row
from benchmarks.search.searching import WAYS, Question
from benchmarks.search.timing import Answers
from benchmarks.search.vectors import kept_vectors, perturbed
from ingestion_pipeline.store.database import Database

TEXTS = [sentences.sentence(number) for number in range(400)]


def random_vectors(count: int, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 384), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_whole_measurement(database: Database) -> None:
    embedder = KnownVectors(dict(zip(TEXTS, random_vectors(400), strict=True)))
    asked = [sentences.question(number) for number in range(5)]
    questions = [Question(*one) for one in zip(asked, random_vectors(5, seed=2), strict=True)]
    kept = measured(database, TEXTS, embedder, questions, singles=1)
    assert row(kept, "exact scan", filtered=True)["recall"] == 1
    assert row(kept, "index", filtered=False)["recall"] > 0.8
    assert {one["way"] for one in kept["searches"]} == {*WAYS, "hybrid, to the sentence"}
    number = r"[0-9]+(\.[0-9]+)?"
    figures = "write_rows_s=N video_ms=N p50_ms=N p95_ms=N recall=N recall_filtered=N".replace("N", number)
    assert re.fullmatch(f"bench-search: {figures}", closing_line(kept))
    assert "| vector | a tenth |" in page(kept)
    with database.connection() as connection:
        assert connection.execute("select count(*) from embeddings").fetchone() == (400,)


@pytest.mark.parametrize("number", range(0, 3000, 97))
def test_a_sentence_has_12_to_30_words_and_is_always_the_same(number: int) -> None:
    assert 12 <= len(sentences.sentence(number).split()) <= 30
    assert sentences.sentence(number) == sentences.sentence(number)
    assert 3 <= len(sentences.question(number).split()) <= 6


def test_percentiles_and_recall() -> None:
    exact = Answers([["a", "b"], ["c", "d"], []], [1.0] * 3)
    found = Answers([["b", "a"], ["c", "x"], ["y"]], [1.0, 2.0, 9.0])
    assert found.recall(exact) == 0.75
    assert found.percentile(50) == 2.0


def test_vectors_are_made_once_and_an_interrupted_call_goes_on(tmp_path: Path) -> None:
    texts, made = [str(number) for number in range(2500)], list[str]()

    def encode(some: list[str]) -> np.ndarray:
        made.extend(some)
        if len(made) > 2000:
            raise KeyboardInterrupt
        return np.array([[len(text)] for text in some], np.float32)

    with pytest.raises(KeyboardInterrupt):
        kept_vectors(texts, tmp_path, "model", encode)
    del made[:]
    assert kept_vectors(texts, tmp_path, "model", encode)[:, 0].tolist() == [len(text) for text in texts]
    assert made == texts[2000:]
    assert kept_vectors(["7"], tmp_path, "model", encode).tolist() == [[1.0]]


def test_perturbed_vectors_have_length_one_and_are_near_the_real_ones() -> None:
    real = random_vectors(10)
    more = perturbed(real, 25)
    assert more.shape == (25, 384)
    assert np.array_equal(more[:10], real)
    assert np.linalg.norm(more, axis=1) == pytest.approx(np.ones(25), abs=1e-5)
    cosines = np.sum(more[10:20] * real, axis=1)
    assert ((cosines > 0.9) & (cosines < 1)).all()


def test_growth_is_carried_on_by_its_power() -> None:
    assert carried_on([10, 100, 1000], [3, 30, 300], 10_000) == pytest.approx(3000)
    assert carried_on([10, 100, 1000], [5, 5, 5], 10_000) == pytest.approx(5)
    point = defaultdict[str, float](lambda: 2000.0)
    assert growth_table({10: point, 100: point})[2] == "| table of vectors, MB | 2,000 | 2,000 | 2,000 |"
