"""What the UI calls out of date: embeddings of another model, or of passages by another rule."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG

from ingestion_pipeline.embedding.passages import RULE

_EMBEDDINGS = dg.AssetKey("segment_embeddings")


def embeddings_version(model: str) -> str:
    """Return the code version of `segment_embeddings`: when it changes, the UI calls each older partition stale."""
    return f"{model}, passage rule {RULE}"


def with_version(asset: dg.AssetsDefinition, code_version: str) -> dg.AssetsDefinition:
    """Return an asset with a code version that its settings give."""
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(code_version=code_version))


def report_reembedded(instance: dg.DagsterInstance, fingerprints: Mapping[str, str], model: str) -> int:
    """Tell Dagster of partitions that were embedded outside of a run, and return how many it did not know of.

    Each takes over what its last materialization came from; a partition without one was never Dagster's.
    """
    reported = 0
    for key, fingerprint in fingerprints.items():
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=_EMBEDDINGS, asset_partitions=[key]), limit=1
        ).records
        known = records[0].asset_materialization if records else None
        if known is None or (known.tags or {}).get(CODE_VERSION_TAG) == embeddings_version(model):
            continue
        tags = {**(known.tags or {}), CODE_VERSION_TAG: embeddings_version(model), DATA_VERSION_TAG: fingerprint}
        metadata = {"model": model, "by": "ingest reembed"}
        event = dg.AssetMaterialization(_EMBEDDINGS, partition=key, metadata=metadata, tags=tags)
        instance.report_runless_asset_event(event)
        reported += 1
    return reported
