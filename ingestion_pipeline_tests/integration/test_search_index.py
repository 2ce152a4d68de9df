"""The search index as an asset: its page, when it is looked after, and what a change of model makes stale."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from ingestion_pipeline import pipeline
from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.defs.search_index import nightly_search_index
from ingestion_pipeline.defs.staleness import report_reembedded
from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder
from ingestion_pipeline.models import embedding_name
from ingestion_pipeline.reembedding import keep_up, reembed
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import embeddings
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import model_named
from ingestion_pipeline.store.search import EXACT_UNDER
from ingestion_pipeline_tests.support.examples import WordEmbedder, keep, video
from ingestion_pipeline_tests.support.passages import have_bad_index, have_passages

STEPS = ("raw_audio", "transcripts", "segment_embeddings")


def settings_of(folder: Path, **changes: object) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        sources_file=folder / "sources.yaml",
        whisper_model="demo-en",
        whisper_device="cpu",
        allow_private_addresses=True,
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def built(database: Database, settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    repository = definitions(settings, database.url, mode="in_process").get_repository_def()
    return repository.get_job("build_search_index").execute_in_process(instance=instance)


def page(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("search_index")
    return {name: value.value for name, value in event.metadata.items()}


def test_the_page_of_a_small_search(database: Database, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert page(built(database, settings, instance))["passages"] == 0
    keep(database, video(1), "Honey.")
    pipeline.embed(database, video(1).key, WordEmbedder(embedding_name(settings)), log=print)
    result = built(database, settings, instance)
    assert page(result) == {
        "model": MINILM,
        "wanted_model": MINILM,
        "passages": 1,
        "passages_not_in_wanted_model": 0,
        "recall_at_10": 1.0,
        "index": "none: an exact scan",
        "index_bytes": 0,
        "index_build_s": 0.0,
    }
    (check,) = result.get_asset_check_evaluations()
    assert check.passed


def test_a_low_recall_is_a_warning_that_says_what_to_do(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    have_bad_index(database, have_passages(database, MINILM, videos=30, dimensions=256))
    result = built(database, settings_of(tmp_path), instance)
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["remedy"].value == "Run `ingest db index --rebuild`."
    assert page(result)["index_bytes"] > 0  # type: ignore[operator]


def test_at_night_a_job_starts_only_where_there_is_something_to_do(database: Database, tmp_path: Path) -> None:
    def tick(settings: Settings) -> list[dg.RunRequest]:
        project = definitions(settings, database.url)
        schedule = project.get_repository_def().get_schedule_def(nightly_search_index.name)
        with dg.build_schedule_context(resources=project.resources) as context:
            return list(schedule.evaluate_tick(context).run_requests or [])

    keep(database, video(1), "Honey.")
    pipeline.embed(database, video(1).key, WordEmbedder(MINILM), log=print)
    assert tick(settings_of(tmp_path)) == []
    (request,) = tick(settings_of(tmp_path, embedding_truncate_dim=128))
    assert request.tags["reason"] == "another model is wanted"
    with database.connection() as connection:
        connection.execute(
            "insert into embeddings select model, video, n, text_hash, embedding "
            "from embeddings, generate_series(1, %s) n",
            (EXACT_UNDER,),
        )
    (request,) = tick(settings_of(tmp_path))
    assert request.tags["reason"] == "there are passages enough for an index"


def test_a_change_of_model_makes_the_embeddings_stale_and_nothing_else(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    first, second = settings_of(tmp_path), settings_of(tmp_path, embedding_truncate_dim=128)
    with podcast() as feed:
        (tmp_path / "sources.yaml").write_text(f"sources: [{{name: demo, feed: '{feed}', newest: 1}}]\n")
        repository = definitions(first, database.url, mode="in_process").get_repository_def()
        repository.get_job("list_sources").execute_in_process(instance=instance)
        (key,) = instance.get_dynamic_partitions("videos")
        repository.get_job("ingest_video").execute_in_process(instance=instance, partition_key=key)
    fresh = [StaleStatus.FRESH] * 3
    assert statuses(database, first, instance, key) == fresh
    assert statuses(database, second, instance, key) == [StaleStatus.FRESH, StaleStatus.FRESH, StaleStatus.STALE]
    name = embedding_name(second)
    reembed(database, InProcessEmbedder(name), print)
    keep_up(database, name, print)
    with database.connection() as connection:
        model = model_named(connection, name)
        assert model
        fingerprints = embeddings.fingerprints(connection, model)
    assert [report_reembedded(instance, {**fingerprints, "absent": "f"}, name) for _ in range(2)] == [1, 0]
    assert statuses(database, second, instance, key) == fresh
    assert statuses(database, first, instance, key) == [StaleStatus.FRESH, StaleStatus.FRESH, StaleStatus.STALE]


def statuses(database: Database, settings: Settings, instance: dg.DagsterInstance, key: str) -> list[StaleStatus]:
    graph = definitions(settings, database.url, mode="in_process").get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return [resolver.get_status(dg.AssetKey(step), key) for step in STEPS]
