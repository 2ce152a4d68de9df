"""The search index: an asset with a job of its own, which a schedule starts where there is something to do."""

import dagster as dg

from ingestion_pipeline import reembedding
from ingestion_pipeline.reembedding import LEAST_RECALL

from .assets import readable_failures, segment_embeddings
from .resources import Embeddings, Store

_RECALL = dg.AssetCheckSpec(
    "recall",
    asset="search_index",
    description=f"Of the ten nearest passages, does a search find {LEAST_RECALL:.0%}? Asked with 50 stored vectors.",
)


@dg.asset(
    deps=[segment_embeddings],
    group_name="search",
    kinds={"postgres"},
    owners=["team:ingestion"],
    check_specs=[_RECALL],
)
def search_index(context: dg.AssetExecutionContext, store: Store, embeddings: Embeddings) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster takes no other where there are checks
    """How passages are searched: one by one while they are few, else by an index that is built here.

    After a change of EMBEDDING_MODEL, searches switch to the new model here, once it has embedded all passages.
    """
    with readable_failures():
        upkeep = reembedding.keep_up(store.database, embeddings.model, context.log.info)
    return dg.MaterializeResult(
        metadata={**(upkeep.described() if upkeep else {"passages": 0}), "wanted_model": embeddings.model},
        check_results=[_checked(upkeep.recall if upkeep else 1.0)],
    )


build_search_index = dg.define_asset_job(
    "build_search_index",
    selection=[search_index],
    description="Build the index that searches need, measure it, and switch to a new embedding model that is complete.",
)


@dg.schedule(
    job=build_search_index,
    cron_schedule="0 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks after the search index each night; nothing runs while passages are few and the model the same.",
)
def nightly_search_index(store: Store, embeddings: Embeddings) -> dg.RunRequest | dg.SkipReason:
    """Start the job where searches need an index, or wait for a switch."""
    why = reembedding.reason_to_keep_up(store.database, embeddings.model)
    return dg.RunRequest(tags={"reason": why}) if why else dg.SkipReason("few passages, and no other model is wanted")


def _checked(recall: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=_RECALL.name,
        passed=recall >= LEAST_RECALL,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"recall_at_10": recall, "remedy": "Run `ingest db index --rebuild`."},
    )
