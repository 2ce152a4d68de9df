"""`ingest search`, `reembed` and `db index` as a person calls them, with a real model server."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingestion_pipeline import pipeline
from ingestion_pipeline.cli import ingest
from ingestion_pipeline.embedding.embedder import MINILM
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import WordEmbedder, keep, video
from ingestion_pipeline_tests.support.installation import Installation

pytestmark = pytest.mark.slow

OLD = WordEmbedder("a former model")
SAID = ["The dog growled at the postman.", "Bread needs flour and time.", "The train leaves at ten."]


@pytest.fixture
def here(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.chdir(tmp_path)
    installation = Installation(tmp_path)
    installation.environment |= {
        "DATABASE_URL": database.url,
        "WHISPER_MODEL": "demo-en",
        "WHISPER_DEVICE": "cpu",
        "EMBEDDING_TRUNCATE_DIM": "64",
    }
    for number, text in enumerate(SAID):
        keep(database, video(number, source=f"source {number}"), text)
        pipeline.embed(database, video(number).key, OLD, log=print)
    return installation


def test_a_change_of_model_and_searches_after_it(here: Installation) -> None:
    done = here.json("reembed", "--drop-old")
    assert done["seconds"] > 0
    assert (done["model"], done["searches_ask"]) == (f"{MINILM}@64", f"{MINILM}@64")
    assert (done["embedded"], done["lacking"], done["recall"], done["dropped"]) == (3, 0, 1.0, [OLD.model])

    (hit, *_) = printed(here, "search", "an animal that barks")
    assert (hit["text"], hit["marked"]) == (SAID[0], SAID[0])
    (hit,) = printed(here, "search", "baking bread", "--source", "source 1", "--since", "2026-01-01", "--by-video")
    assert hit["marked"] == "**Bread** needs flour and time."
    assert printed(here, "search", "bread", "--since", "2026-02-01") == []
    assert printed(here, "search", "bread", "--language", "de") == []
    shown = printed(here, "db", "index", "--rebuild")
    assert (shown["model"], shown["passages"], shown["index"]) == (f"{MINILM}@64", 3, "none: an exact scan")


def printed(here: Installation, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
    """Return what a command prints as JSON, called in this process."""
    result = CliRunner(env=here.environment).invoke(ingest, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_too_many_dimensions_are_found_before_anything_is_written(here: Installation, database: Database) -> None:
    here.environment["EMBEDDING_TRUNCATE_DIM"] = "1000"
    done = here.run("reembed")
    assert done.returncode == 1
    assert "gives 384 dimensions, 1000 are wanted. Lower EMBEDDING_TRUNCATE_DIM" in done.stderr
    with database.connection() as connection:
        assert connection.execute("select array_agg(name) from embedding_models").fetchone() == ([OLD.model],)
