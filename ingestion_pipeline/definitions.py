"""What Dagster loads: the assets, the job of a video, and the resources that the settings describe."""

import dagster as dg

from .defs.assets import raw_audio, segment_embeddings, transcripts, video_catalog
from .defs.checks import CHECKS
from .defs.notification import Messages, failure_messages, notify_failures
from .defs.progress import progress_lines
from .defs.resources import Catalogue, Embeddings, Mode, Store, downloads_of, quality_of, whisper_of
from .settings import Settings, load_settings

ingest_video = dg.define_asset_job(
    "ingest_video",
    selection=[raw_audio, transcripts, segment_embeddings],
    description="Take one video through all its steps.",
)
list_sources = dg.define_asset_job(
    "list_sources", selection=[video_catalog], description="Look for new videos in all sources."
)


def definitions(settings: Settings, url: str | dg.EnvVar, mode: Mode = "server") -> dg.Definitions:
    """Return the definitions for these settings; one run takes one video through all steps in one process.

    `url` is that of the database; as an `EnvVar` the UI shows the variable's name and not its password. With the `mode`
    in_process a run loads the models by itself.
    """
    return dg.Definitions(
        assets=[video_catalog, raw_audio, transcripts, segment_embeddings],
        asset_checks=CHECKS,
        jobs=[ingest_video, list_sources, notify_failures],
        sensors=[failure_messages],
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
            "embeddings": Embeddings(model=settings.embedding_model),
            "messages": Messages(urls=dg.EnvVar("NOTIFY_URLS") if settings.notify_urls else None),
        },
    )


defs = definitions(load_settings(), dg.EnvVar("DATABASE_URL"))
