"""How PostgreSQL serves the search by meaning once it has counted 3,000 passages: in the order of the index."""

import numpy as np
import pytest
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import active_model, have_model
from ingestion_pipeline.store.indexes import have_index
from ingestion_pipeline.store.search import ALL, Filters, nearest_query

_FILL = """
with added as (
    insert into videos (key, source, extractor, source_id, media_url, page_url, title, channel)
    select 'v' || v, 'source-' || v %% 10, 'feed', v, '', '', '', '' from generate_series(1, 30) v returning key
),
said as (
    insert into transcripts (video, fingerprint, model, language, duration_s, speech_s)
    select key, '', '', 'en', 1, 1 from added returning video
),
passed as (
    insert into passages (video, idx, start_s, end_s, text, text_hash, language)
    select video, i, i, i + 1, video || i, sha256((video || i)::bytea), 'en' from said, generate_series(1, 100) i
    returning video, idx, text_hash
)
insert into embeddings (model, video, idx, text_hash, embedding)
select %s, video, idx, text_hash, array(
    select random() - 0.5 from generate_series(1, 384) where idx > 0
)::halfvec(384) from passed
"""


@pytest.fixture
def filled(database: Database) -> Database:
    with database.writing() as connection:
        model = have_model(connection, "words", 384)
        connection.execute(_FILL, (model.id,))
    with database.connection(autocommit=True) as connection:
        connection.execute("vacuum analyze")
    have_index(database, model, print, exact_under=0)
    return database


def plan_of(database: Database, filters: Filters, *, exact: bool) -> str:
    with database.connection() as connection:
        register_vector(connection)
        model = active_model(connection)
        assert model
        query = nearest_query(model, filters, exact=exact)
        values = {"query": HalfVector(np.ones(384, np.float32)), "limit": 10, **vars(filters)}
        return "\n".join(line for (line,) in connection.execute(b"explain " + query.as_bytes(connection), values))


def test_the_index_gives_the_order_and_passages_are_looked_up_one_by_one(filled: Database) -> None:
    for filters in (ALL, Filters(source="source-1"), Filters(language="en", channel="")):
        plan = plan_of(filled, filters, exact=False)
        assert "Index Scan using embeddings_hnsw_1" in plan
        assert "Seq Scan on passages" not in plan
        assert "embeddings_hnsw_1" not in plan_of(filled, filters, exact=True)
