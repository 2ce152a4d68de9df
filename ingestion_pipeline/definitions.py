"""What Dagster loads: assets, jobs, schedules and sensors, and the resources that the settings describe."""

import dagster as dg

from .defs.assets import raw_audio, segment_embeddings, transcripts, video_catalog
from .defs.checks import CHECKS
from .defs.jobs import add_videos, delete_audio, ingest_video, list_sources, remove_videos
from .defs.notification import Messages, failure_messages, notify_failures
from .defs.progress import progress_lines
from .defs.resources import Catalogue, Embeddings, Mode, Store, downloads_of, quality_of, whisper_of
from .defs.schedules import discover_sources, sweep_audio
from .defs.search_index import build_search_index, nightly_search_index, search_index
from .defs.sensors import new_uploads, orphans, retry_due
from .defs.staleness import embeddings_version, with_version
from .models import embedding_name
from .settings import Settings, load_settings


def definitions(settings: Settings, url: str | dg.EnvVar, mode: Mode = "server") -> dg.Definitions:
    """Return the definitions for these settings; one run takes one video through all steps in one process.

    `url` is that of the database; as an `EnvVar` the UI shows the variable's name and not its password. With the `mode`
    in_process a run loads the models by itself.
    """
    model = embedding_name(settings)
    embedded = with_version(segment_embeddings, embeddings_version(model))
    return dg.Definitions(
        assets=[video_catalog, raw_audio, transcripts, embedded, search_index],
        asset_checks=CHECKS,
        jobs=[
            ingest_video,
            list_sources,
            add_videos,
            remove_videos,
            delete_audio,
            notify_failures,
            build_search_index,
        ],
        schedules=[discover_sources, sweep_audio, nightly_search_index],
        sensors=[new_uploads, retry_due, orphans, failure_messages],
        executor=dg.in_process_executor,
        loggers={"console": progress_lines},
        resources={
            "store": Store(url=url, writers=settings.db_workers, retry_after_s=settings.retry_after_s),
            "catalogue": Catalogue(
                sources_file=str(settings.sources_file.resolve()), ingestion_limit=settings.ingestion_limit
            ),
            "downloads": downloads_of(settings),
            "quality": quality_of(settings),
            "whisper": whisper_of(settings, mode),
            "embeddings": Embeddings(model=model),
            "messages": Messages(urls=dg.EnvVar("NOTIFY_URLS") if settings.notify_urls else None),
        },
    )


defs = definitions(load_settings(), dg.EnvVar("DATABASE_URL"))
