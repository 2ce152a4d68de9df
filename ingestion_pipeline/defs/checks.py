"""Asset checks of each video: what of its audio, transcript and embeddings is not as it should be.

They look at what is stored, so an unchanged step has its checks again. None is `blocking`: what blocks the embedding of
a video is decided in its step, which then says why, also where that step runs alone.
"""

import warnings
from collections.abc import Iterator, Sequence

import dagster as dg

from ingestion_pipeline import inspection
from ingestion_pipeline.quality import Finding

from .assets import videos
from .resources import Embeddings, Quality, Store

_DESCRIPTIONS = {
    "raw_audio": {"length": "Is the audio as long as the site said? Else the download was cut, or is something else."},
    "transcripts": {
        "speech_covered": "Does the speech that was heard have a text?",
        "repetition": "Does the text go on, or turn in a loop?",
        "words_per_second": "Can anybody speak so fast?",
        "language": "Is the text in the language that the source or the audio track names?",
        "timestamps": "Do the times go forward?",
        "left_out": "How much speech could not be recognised?",
    },
    "segment_embeddings": {
        "count": "Has each passage its vector?",
        "dimensions": "Are the vectors as long as the model says?",
        "norm": "Are the vectors of length 1? Else similarities are wrong.",
        "numbers": "Are the vectors numbers throughout?",
    },
}


def _specs(asset: str) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitions of checks are in preview; without them the checks of one video would hide those of all others.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=videos)
            for name, description in _DESCRIPTIONS[asset].items()
        ]


@dg.multi_asset_check(specs=_specs("raw_audio"))
def audio_quality(
    context: dg.AssetCheckExecutionContext, store: Store, quality: Quality
) -> Iterator[dg.AssetCheckResult]:
    """Whether the audio of a video is what the site said."""
    with store.database.connection() as connection:
        yield from _results(inspection.audio_findings(connection, context.partition_key, quality.limits))


@dg.multi_asset_check(specs=_specs("transcripts"))
def transcript_quality(
    context: dg.AssetCheckExecutionContext, store: Store, quality: Quality
) -> Iterator[dg.AssetCheckResult]:
    """Whether the transcript of a video can be true."""
    with store.database.connection() as connection:
        yield from _results(inspection.transcript_findings(connection, context.partition_key, quality.limits))


@dg.multi_asset_check(specs=_specs("segment_embeddings"))
def embedding_quality(
    context: dg.AssetCheckExecutionContext, store: Store, embeddings: Embeddings
) -> Iterator[dg.AssetCheckResult]:
    """Whether the embeddings of a video can be searched."""
    with store.database.connection() as connection:
        yield from _results(inspection.embedding_findings(connection, context.partition_key, embeddings.model))


def _results(findings: Sequence[Finding]) -> Iterator[dg.AssetCheckResult]:
    for finding in findings:
        yield dg.AssetCheckResult(
            check_name=finding.check,
            passed=not finding.fault,
            severity=dg.AssetCheckSeverity.ERROR if finding.blocks else dg.AssetCheckSeverity.WARN,
            metadata=dict(finding.values),
            description=finding.fault or None,
        )


CHECKS = (audio_quality, transcript_quality, embedding_quality)
