"""Runs of single videos on a Dagster instance in memory, and what they leave on pages, tags and tables."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from ingestion_pipeline.defs.assets import raw_audio, segment_embeddings, transcripts, videos
from ingestion_pipeline.defs.failures import STEPS
from ingestion_pipeline.defs.resources import CpuWhisper, Downloads, Embeddings, Store, quality_of
from ingestion_pipeline.records import Video
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import catalogue, failures
from ingestion_pipeline.store.database import Database


def downloads_to(folder: Path, kind: type[Downloads] = Downloads) -> Downloads:
    """Return downloads without limits or pauses worth mentioning."""
    return kind(
        folder=str(folder / "audio"),
        max_audio_mb=10,
        allow_private_addresses=True,
        site_rate="*=60000",
        retry_pause_s=0.001,
    )


class VideoRuns:
    """Runs videos through the steps; those after `raw_audio` have a model of their own process."""

    def __init__(self, database: Database, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.audio = folder / "audio"
        self.resources: dict[str, object] = {
            "store": Store(url=database.url, writers=4),
            "downloads": downloads_to(folder),
            "whisper": CpuWhisper(
                model="demo-en",
                compute="int8",
                parallel_models=1,
                asr_workers=1,
                mode="in_process",
                server_folder=str(folder),
            ),
            "quality": quality_of(Settings(_env_file=None)),  # type: ignore[call-arg]
            "embeddings": Embeddings(model="sentence-transformers/all-MiniLM-L6-v2"),
        }

    def add(self, *added: Video) -> None:
        """Put videos into the catalogue and make them partitions."""
        with self.database.writing() as connection:
            catalogue.save_videos(connection, added)
        self.instance.add_dynamic_partitions(str(videos.name), [video.key for video in added])

    def run(
        self, key: str, steps: Sequence[str] = STEPS, tags: dict[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Take a video through some steps."""
        return dg.materialize(
            [raw_audio, transcripts, segment_embeddings],
            selection=list(steps),
            instance=self.instance,
            resources=self.resources,
            partition_key=key,
            tags=tags,
            raise_on_error=False,
        )

    def failure(self, key: str) -> failures.Failure | None:
        """Return the row of a video in the table of failures."""
        with self.database.connection() as connection:
            return failures.failure_of(connection, key)

    def observed(self, asset: str, key: str) -> dict[str, object]:
        """Return what the page of a partition shows of its last observation."""
        filtered = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[key])
        (record, *_) = self.instance.fetch_observations(filtered, limit=1).records
        assert record.asset_observation is not None
        return {name: value.value for name, value in record.asset_observation.metadata.items()}

    def missing(self, asset: str, key: str) -> bool:
        """Tell whether a partition counts as not materialized."""
        return key not in self.instance.get_materialized_partitions(dg.AssetKey(asset))
