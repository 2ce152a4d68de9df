"""Embedding for several runs at once, in the model server's own thread."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder
from ingestion_pipeline.errors import ModelFault
from ingestion_pipeline.serving.embedders import Embedders


@pytest.fixture
def embedders() -> Iterator[Embedders]:
    running = Embedders("cpu", lambda: False)
    yield running
    running.close()


def test_what_several_runs_ask_for_meanwhile_is_one_batch(embedders: Embedders) -> None:
    """The first has the model loaded, which takes far longer than the others need to ask."""
    texts = [[f"The bees of hive {number}.", f"Its honey, {number} pots."] for number in range(8)]
    asked = [embedders.embed(MINILM, two, "document") for two in texts]
    vectors = [one.result() for one in asked]
    here = InProcessEmbedder(MINILM)
    for two, found in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(found, here.documents(two), atol=1e-5)
    assert embedders.texts == 16
    assert embedders.batches <= 2


def test_questions_and_passages_are_not_one_batch(embedders: Embedders) -> None:
    kinds = ("document", "query", "document", "query")
    for one in [embedders.embed(MINILM, ["honey"], kind) for kind in kinds]:  # type: ignore[arg-type]
        one.result()
    assert embedders.texts == 4
    assert embedders.batches >= 2


def test_a_search_does_not_wait_behind_the_passages_of_runs(embedders: Embedders) -> None:
    """While the model loads for who is first, the others ask; two runs are more than a batch."""
    ended: list[str] = []
    asked = [
        (name, embedders.embed(MINILM, ["honey"] * count, kind))
        for name, count, kind in (
            ("first", 1, "document"), ("a run", 250, "document"), ("another run", 250, "document"),
            ("a question", 1, "query"), ("its sentences", 10, "document"),
        )
    ]  # fmt: skip
    for name, vectors in asked:
        vectors.add_done_callback(lambda _, name=name: ended.append(name))
    for _, vectors in asked:
        vectors.result()
    assert ended.index("a question") < ended.index("another run")
    assert ended.index("its sentences") < ended.index("another run")
    assert ended.index("a run") < ended.index("another run")
    assert embedders.batches >= 3  # the first may have "a run" with it, and nobody else has


def test_beside_decode_workers_one_core_embeds() -> None:
    """Threads of torch that wait for one another, and for a core, would take twice as long."""
    threads, answers = list[int](), [True, False, False]

    def decoding() -> bool:
        threads.append(torch.get_num_threads())
        return answers[len(threads) - 1]

    embedders = Embedders("cpu", decoding)
    for _ in answers:
        embedders.embed(MINILM, ["honey"], "document").result()
    embedders.close()
    assert threads[1:] == [1, threads[0]]


def test_a_text_that_no_model_can_read_fails_alone(embedders: Embedders) -> None:
    """While the model loads for the first, the others ask."""
    first, unreadable, there = (
        embedders.embed(MINILM, [text], "document") for text in ("honey", "half of a pair: \ud800", "bees")
    )
    assert first.result().shape == there.result().shape == (1, 384)
    with pytest.raises(TypeError):
        unreadable.result()


def test_a_model_that_does_not_load_fails_those_who_asked_for_it_alone(embedders: Embedders) -> None:
    missing, there = (
        embedders.embed("no/such-model", ["honey"], "document"),
        embedders.embed(MINILM, ["honey"], "query"),
    )
    assert there.result().shape == (1, 384)
    with pytest.raises(ModelFault):
        missing.result()
