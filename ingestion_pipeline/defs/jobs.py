"""The jobs: what a run from the UI, a sensor or a schedule does."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG, PRIORITY_TAG
from pydantic import Field

from ingestion_pipeline import discovery, removal, retention
from ingestion_pipeline.errors import IngestionError

from .assets import raw_audio, segment_embeddings, transcripts, video_catalog, videos
from .resources import Downloads, Store

_AHEAD_OF_VIDEOS = {PRIORITY_TAG: "10", MAX_RUNTIME_SECONDS_TAG: "3600"}
"""Short work does not wait behind a long backfill, and what hangs does not keep the next from starting for ever."""

ingest_video = dg.define_asset_job(
    "ingest_video",
    selection=[raw_audio, transcripts, segment_embeddings],
    description="Take one video through all its steps.",
)
list_sources = dg.define_asset_job(
    "list_sources",
    selection=[video_catalog],
    tags=_AHEAD_OF_VIDEOS,
    description="Look for new videos in all sources.",
)


class Addresses(dg.Config):
    """What to add."""

    urls: list[str] = Field(description="addresses of videos, playlists or pages")


class Keys(dg.Config):
    """What to remove."""

    videos: list[str] = Field(description="keys of videos, as the partitions show them")


@dg.op(description="Adds the videos at some addresses to the catalogue; the sensor new_uploads takes them from there.")
def add_to_catalogue(context: dg.OpExecutionContext, config: Addresses, store: Store, downloads: Downloads) -> None:
    """Add them; fail where nothing could be listed at one of the addresses."""
    try:
        found = discovery.add(store.database, config.urls, downloads.web, log=context.log.info)
    except IngestionError as fault:
        raise _failure([fault]) from fault
    context.instance.add_dynamic_partitions(str(videos.name), [video.key for video in found.new])
    context.log.info(f"added: {', '.join(f'{video.key} ({video.title})' for video in found.new) or 'nothing new'}")
    if found.failed:
        raise _failure(found.faults)


@dg.op(description="Removes videos: their rows, audio and partitions. No listing adds them again, `add_videos` does.")
def remove_from_catalogue(context: dg.OpExecutionContext, config: Keys, store: Store, downloads: Downloads) -> None:
    """Remove each that is not being worked on; fail where one could not be removed."""
    faults: list[IngestionError] = []
    for key in config.videos:
        try:
            removal.remove(store.database, key, Path(downloads.folder), partition_dropper(context.instance))
            context.log.info(f"removed: {key}")
        except IngestionError as fault:
            faults.append(fault)
    if faults:
        raise _failure(faults)


@dg.op(description="Deletes audio that is transcribed and as old as AUDIO_RETENTION says.")
def delete_served_audio(context: dg.OpExecutionContext, store: Store, downloads: Downloads) -> None:
    """Delete it, unless it is kept for ever."""
    days = retention.days_kept(downloads.retention)
    swept = retention.Swept() if days is None else retention.sweep(store.database, days, context.log.info)
    context.log.info(f"{swept.files} files deleted, {swept.bytes / 1e6:.0f} MB")
    context.add_output_metadata({"files": swept.files, "bytes": swept.bytes})


@dg.job(tags=_AHEAD_OF_VIDEOS, description="Add videos, playlists or pages by their addresses.")
def add_videos() -> None:
    """One step."""
    add_to_catalogue()


@dg.job(tags=_AHEAD_OF_VIDEOS, description="Remove videos with all that was made of them.")
def remove_videos() -> None:
    """One step."""
    remove_from_catalogue()


@dg.job(tags=_AHEAD_OF_VIDEOS, description="Delete audio that has served, as AUDIO_RETENTION says.")
def delete_audio() -> None:
    """One step."""
    delete_served_audio()


def partition_dropper(instance: dg.DagsterInstance) -> Callable[[str], None]:
    """Return what deletes the partition of a video."""
    return lambda key: instance.delete_dynamic_partition(str(videos.name), key)


def _failure(faults: Sequence[IngestionError]) -> dg.Failure:
    return dg.Failure(description=" ".join(str(fault) for fault in faults), allow_retries=False)
