"""The assets: a catalogue of videos, and for each video its audio, transcript and embeddings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from ingestion_pipeline import discovery, pipeline
from ingestion_pipeline.errors import IngestionError
from ingestion_pipeline.sources.config import read_sources
from ingestion_pipeline.store import catalogue as catalogue_table

from .failures import explained
from .metadata import about, plain, preview, quality_note, source_metadata
from .resources import Catalogue, Downloads, Embeddings, Quality, Store, Whisper

videos = dg.DynamicPartitionsDefinition(name="videos")
SOURCES_LISTED = "sources_listed"
_OWNERS = ["team:ingestion"]
Result = Iterator[dg.MaterializeResult[None]]
"""Of an asset that may end without an output: where its video has to wait, the partition stays missing."""


class VideoConfig(dg.Config):
    """How a video is ingested."""

    force: bool = Field(default=False, description="do it again although nothing has changed")


@dg.asset(
    group_name="sources",
    kinds={"yaml", "postgres"},
    owners=_OWNERS,
    check_specs=[dg.AssetCheckSpec(SOURCES_LISTED, asset="video_catalog", description="Every source could be listed.")],
)
def video_catalog(
    context: dg.AssetExecutionContext,
    catalogue: Catalogue,
    store: Store,
    downloads: Downloads,
    embeddings: Embeddings,
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster takes no other where there are checks
    """Which videos there are.

    Every source of `sources.yaml` is listed, without a download; a new video becomes a partition of the assets below.
    The table shows how each source stands: how many videos were found, are done, failed, wait until they are due, or
    cannot be fetched because their site refuses this machine.
    """
    with readable_failures():
        found = discovery.discover(
            store.database,
            read_sources(Path(catalogue.sources_file)),
            downloads.web,
            limit=catalogue.ingestion_limit,
            log=context.log.info,
        )
    # All of them: what an earlier listing saved before it was killed is not new any more.
    with store.database.connection() as connection:
        context.instance.add_dynamic_partitions(str(videos.name), catalogue_table.all_keys(connection))
        sources = catalogue_table.source_counts(connection, embeddings.model)
    return dg.MaterializeResult(
        metadata={
            **source_metadata(sources),
            "listed": found.listed,
            "new": len(found.new),
            "waiting": found.waiting,
            "faults": dg.MetadataValue.md("\n".join(f"- {plain(str(fault))}" for fault in found.faults) or "none"),
            "failed_sources": len(found.failed),
        },
        check_results=[_sources_listed(found)],
        # Constant: what a listing changes concerns new partitions only, the old ones stay up to date.
        data_version=dg.DataVersion("listing"),
    )


@dg.asset(
    partitions_def=videos,
    deps=[video_catalog],
    group_name="videos",
    kinds={"ytdlp"},
    owners=_OWNERS,
    output_required=False,
)
def raw_audio(context: dg.AssetExecutionContext, config: VideoConfig, store: Store, downloads: Downloads) -> Result:
    """The sound of a video: the best track in its original language, as the site serves it.

    It is not downloaded again while its file is there. Why a video is missing here, and when it is tried again, stands
    on the page of its partition, under *View all historical events*, and in `ingest failures`.
    """
    fetched = explained(
        context,
        store,
        lambda database: pipeline.fetch(
            database,
            context.partition_key,
            downloads.fetch,
            downloads.web,
            retry_pause_s=downloads.retry_pause_s,
            force=config.force,
            log=context.log.info,
        ),
    )
    if fetched is None:
        return
    audio = fetched.audio
    yield dg.MaterializeResult(
        metadata={
            **about(fetched.video),
            "path": dg.MetadataValue.path(str(audio.path)),
            "bytes": audio.size,
            "seconds": round(audio.duration_s, 2),
            "codec": audio.codec,
            "sample_rate": audio.sample_rate,
            "changed": fetched.changed,
        },
        data_version=dg.DataVersion(audio.sha256),
    )


@dg.asset(
    partitions_def=videos,
    deps=[raw_audio],
    group_name="videos",
    kinds={"whisper"},
    owners=_OWNERS,
    output_required=False,
)
def transcripts(
    context: dg.AssetExecutionContext,
    config: VideoConfig,
    store: Store,
    quality: Quality,
    whisper: dg.ResourceParam[Whisper],
) -> Result:
    """What is said in a video: sentences with their times, and the language.

    `quality` sums up the checks. Where it says *not embedded*, the text is not fit for a search; with "force" in the
    run config this step transcribes again.
    """
    transcribed = explained(
        context,
        store,
        lambda database: pipeline.transcribe(
            database,
            context.partition_key,
            whisper.recogniser(),
            whisper.runs_at_once,
            quality.limits,
            force=config.force,
            log=context.log.info,
        ),
    )
    if transcribed is None:
        return
    transcript = transcribed.transcript
    made = transcribed.recognition
    speed = {"rtfx": transcript.duration_s / made.work_s, **made.usage} if made else {}
    yield dg.MaterializeResult(
        metadata={
            **about(transcribed.video),
            "quality": quality_note(transcribed.findings),
            "preview": dg.MetadataValue.md(preview(transcribed.video, transcript)),
            "language": transcript.language,
            "model": transcript.model,
            "segments": len(transcript.segments),
            "words": len(transcript.text.split()),
            "seconds": round(transcript.duration_s, 2),
            "speech_seconds": round(transcript.speech_s, 2),
            "left_out_seconds": round(transcript.left_out_s, 2),
            "chunks_decoded_again": transcript.decoded_again,
            "changed": transcribed.changed,
            **{name: round(value, 2) for name, value in speed.items()},
        },
        data_version=dg.DataVersion(transcript.fingerprint),
    )


@dg.asset(
    partitions_def=videos,
    deps=[transcripts],
    group_name="videos",
    kinds={"huggingface", "postgres"},
    owners=_OWNERS,
    output_required=False,
)
def segment_embeddings(
    context: dg.AssetExecutionContext,
    config: VideoConfig,
    store: Store,
    quality: Quality,
    whisper: dg.ResourceParam[Whisper],
    embeddings: Embeddings,
) -> Result:
    """The passages of a transcript, 30 to 60 s each, as vectors: from here on `ingest search` finds the video.

    Only passages whose text is new are embedded. A transcript that is not fit for a search is refused; with "force" in
    the run config it is taken as it is.
    """
    embedded = explained(
        context,
        store,
        lambda database: pipeline.embed_for_search(
            database,
            context.partition_key,
            embeddings.embedder(whisper),
            quality.limits,
            force=config.force,
            log=context.log.info,
        ),
    )
    if embedded is None:
        return
    yield dg.MaterializeResult(
        metadata={
            **about(embedded.video),
            "model": embeddings.model,
            "passages": embedded.passages,
            "dimensions": embedded.dimensions,
            "rows_written": embedded.written,
            "rows_unchanged": embedded.passages - embedded.written,
        },
        data_version=dg.DataVersion(embedded.fingerprint),
    )


def _sources_listed(found: discovery.Discovery) -> dg.AssetCheckResult:
    """Name each source that could not be listed; the others were."""
    return dg.AssetCheckResult(
        check_name=SOURCES_LISTED,
        passed=not found.failed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={name: str(fault) for name, fault in found.failed.items()},
    )


@contextmanager
def readable_failures() -> Iterator[None]:
    """Turn an error of the project into a failure whose first line says what happened and what to do."""
    try:
        yield
    except IngestionError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"kind": error.kind, "what": error.what, "remedy": error.remedy or "none"},
            allow_retries=False,
        ) from error
