"""Many passages with random vectors, written as the pipeline does."""

import numpy as np

from ingestion_pipeline.records import Passage
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import EmbeddingModel, have_model
from ingestion_pipeline.store.embeddings import save_embeddings
from ingestion_pipeline.store.transcripts import save_transcript
from ingestion_pipeline_tests.support.examples import transcript, video

PER_VIDEO = 100


def random_vectors(seed: int, count: int, dimensions: int) -> np.ndarray:
    """Return vectors (count, dimensions) of length 1."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def have_passages(database: Database, name: str, videos: int, dimensions: int = 64) -> EmbeddingModel:
    """Save videos of 100 passages each, from ten sources in turn; a second model embeds the same."""
    with database.writing() as connection:
        model = have_model(connection, name, dimensions)
        catalogue.save_videos(connection, [video(number, source=f"source {number % 10}") for number in range(videos)])
        for number in range(videos):
            key = video(number).key
            save_transcript(connection, key, transcript("Anything.", fingerprint="f"))
            said = [Passage(5.0 * place, 5.0 * place + 4, f"passage {place}") for place in range(PER_VIDEO)]
            rows = dict(enumerate(random_vectors(number, PER_VIDEO, dimensions)))
            save_embeddings(connection, model, key, said, rows, "f", "en")
    with database.connection(autocommit=True) as connection:
        connection.execute("analyze embeddings")
    return model


def have_bad_index(database: Database, model: EmbeddingModel) -> None:
    """Build an index of the name that is looked for, with links far too few."""
    with database.connection() as connection:
        connection.execute(
            f"create index embeddings_hnsw_{model.id} on embeddings "
            f"using hnsw ((embedding::halfvec({model.dimensions})) halfvec_cosine_ops) "
            f"with (m = 2, ef_construction = 4) where model = {model.id}"
        )
