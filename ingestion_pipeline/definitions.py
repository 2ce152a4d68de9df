"""What Dagster loads: assets, jobs, schedules and sensors, and the resources that the settings describe."""

import dagster as dg

from .defs.assets import raw_audio, segment_embeddings, transcripts, video_catalog
from .defs.jobs import add_videos, delete_audio, ingest_video, list_sources, remove_videos
from .defs.progress import progress_lines
from .defs.resources import Catalogue, Downloads, Embeddings, Mode, Store, whisper_of
from .defs.schedules import discover_sources, sweep_audio
from .defs.sensors import new_uploads, orphans, retry_due
from .settings import Settings, load_settings


def definitions(settings: Settings, url: str | dg.EnvVar, mode: Mode = "server") -> dg.Definitions:
    """Return the definitions for these settings; one run takes one video through all steps in one process.

    `url` is that of the database; as an `EnvVar` the UI shows the variable's name and not its password. With the `mode`
    in_process a run loads the models by itself.
    """
    return dg.Definitions(
        assets=[video_catalog, raw_audio, transcripts, segment_embeddings],
        jobs=[ingest_video, list_sources, add_videos, remove_videos, delete_audio],
        schedules=[discover_sources, sweep_audio],
        sensors=[new_uploads, retry_due, orphans],
        executor=dg.in_process_executor,
        loggers={"console": progress_lines},
        resources={
            "store": Store(url=url, writers=settings.db_workers, retry_after_s=settings.retry_after_s),
            "catalogue": Catalogue(
                sources_file=str(settings.sources_file.resolve()), ingestion_limit=settings.ingestion_limit
            ),
            "downloads": Downloads(
                folder=str(settings.data_dir.resolve() / "audio"),
                max_audio_mb=settings.max_audio_mb,
                allow_private_addresses=settings.allow_private_addresses,
                retention=settings.audio_retention,
            ),
            "whisper": whisper_of(settings, mode),
            "embeddings": Embeddings(model=settings.embedding_model),
        },
    )


defs = definitions(load_settings(), dg.EnvVar("DATABASE_URL"))
