"""Vectors as a model wants them: with its prompts, cut by choice; a wrong length is found before a write."""

import json
from pathlib import Path

import numpy as np
import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder, full_name, weights_of
from ingestion_pipeline.errors import ModelFault, Permanent
from ingestion_pipeline.reembedding import reembed
from ingestion_pipeline.store import embedding_models
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import WordEmbedder, keep, video


def counts(database: Database) -> list[tuple[int, ...]]:
    with database.connection() as connection:
        return [
            connection.execute(f"select count(*) from {table}").fetchone() or ()
            for table in ("passages", "embeddings", "embedding_models")
        ]


def test_a_model_cut_to_fewer_dimensions_is_another_one() -> None:
    whole, cut = InProcessEmbedder(MINILM), InProcessEmbedder(full_name(MINILM, 128))
    assert (whole.dimensions, cut.dimensions) == (384, 128)
    expected = whole.query("honey")[:128]
    assert np.allclose(cut.query("honey"), expected / np.linalg.norm(expected), atol=1e-4)
    assert cut.documents(["honey"]).shape == (1, 128)
    with pytest.raises(ModelFault, match=r"gives 384 dimensions, 1000 are wanted\. Lower EMBEDDING_TRUNCATE_DIM"):
        InProcessEmbedder(full_name(MINILM, 1000)).query("honey")


def test_a_model_gets_the_prompts_that_its_files_name(tmp_path: Path) -> None:
    for file in Path(weights_of(MINILM)).iterdir():
        (tmp_path / file.name).symlink_to(file)
    about = tmp_path / "config_sentence_transformers.json"
    about.unlink()
    about.write_text(json.dumps({"prompts": {"query": "Which is it? ", "document": "It is said: "}}))
    prompted, plain = InProcessEmbedder(str(tmp_path)), InProcessEmbedder(MINILM)
    assert np.allclose(prompted.query("honey"), plain.query("Which is it? honey"), atol=1e-5)
    assert np.allclose(prompted.documents(["honey"]), plain.documents(["It is said: honey"]), atol=1e-5)
    assert not np.allclose(prompted.query("honey"), plain.query("honey"), atol=1e-2)


@pytest.mark.parametrize("length", [8, 32])
def test_vectors_of_a_wrong_length_are_found_before_anything_is_written(database: Database, length: int) -> None:
    class Wrong(WordEmbedder):
        """Gives vectors of another length than it says."""

        def documents(self, texts: list[str]) -> np.ndarray:
            return np.resize(super().documents(texts), (len(texts), length))

    keep(database, video(1), "Honey.")
    pipeline.embed(database, video(1).key, WordEmbedder("old"), log=print)
    keep(database, video(2), "A train.")
    before = counts(database)
    with pytest.raises(Permanent, match=f"dimensions: {length}, not 16"):
        pipeline.embed(database, video(2).key, Wrong("wrong"), log=print)
    with pytest.raises(Permanent, match=f"gave {length} dimensions in place of 16"):
        reembed(database, Wrong("wrong"), print)
    assert counts(database) == before


def test_vectors_that_no_index_can_hold_are_refused(database: Database) -> None:
    with database.connection() as connection, pytest.raises(Permanent, match="at most 4000 can be indexed"):
        embedding_models.have_model(connection, "huge", 4001)
