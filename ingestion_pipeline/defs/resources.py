"""Resources: where the database is, how audio is fetched, which Whisper listens, what embeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from dagster import ConfigurableResource
from pydantic import Field

from ingestion_pipeline.embedding.embedder import InProcessEmbedder
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.speech.recogniser import InProcessWhisper, Recogniser
from ingestion_pipeline.store.database import Database


class Store(ConfigurableResource[None]):
    """Postgres with pgvector."""

    url: str = Field(description="direct connection, not through a transaction pooler: session locks are held on it")
    writers: int = Field(description="transactions that write at once, over all runs (DB_WORKERS)")

    @property
    def database(self) -> Database:
        """The database, not connected yet."""
        return Database(self.url, self.writers)


class Catalogue(ConfigurableResource[None]):
    """What is listed."""

    sources_file: str = Field(description="sources.yaml (SOURCES_FILE)")
    ingestion_limit: int | None = Field(
        default=None, description="most new videos of one listing; the others wait for the next (INGESTION_LIMIT)"
    )


class Downloads(ConfigurableResource[None]):
    """yt-dlp, and the folder that it fills."""

    folder: str = Field(description="where audio is kept")
    max_audio_mb: int = Field(description="larger downloads are refused, in MB")
    allow_private_addresses: bool = Field(description="whether links into the own network are followed")

    def fetch(self, video: Video, log: Callable[[str], None]) -> Audio:
        """Download the audio of a video."""
        from ingestion_pipeline.audio.download import fetch_audio

        return fetch_audio(
            video,
            Path(self.folder),
            max_bytes=self.max_audio_mb * 1_000_000,
            allow_private=self.allow_private_addresses,
            progress=log,
        )


class Whisper(ConfigurableResource[None]):
    """How speech is recognised: `asr_workers` limits the runs that transcribe, `parallel_models` their decodes."""

    model: str = Field(description="name that faster-whisper knows, folder, or demo-en (WHISPER_MODEL)")
    device: str = Field(description="where the model runs")
    compute: str = Field(description="compute type of CTranslate2 (WHISPER_COMPUTE)")
    parallel_models: int = Field(description="parallel decodes over one set of weights (WHISPER_PARALLEL_MODELS)")
    asr_workers: int = Field(description="videos being transcribed at once, over all runs (ASR_WORKERS)")

    def recogniser(self) -> Recogniser:
        """Return the recogniser; its model loads when first used."""
        return InProcessWhisper(self.model, self.device, self.compute, self.parallel_models)


class GpuWhisper(Whisper):
    """Whisper on an NVIDIA GPU, for bulk work: one model, two workers that share it."""

    device: Literal["cuda"] = Field(default="cuda", description="where the model runs")


class CpuWhisper(Whisper):
    """Whisper on a CPU server, for a few new videos a day: several parallel decodes, as many workers."""

    device: Literal["cpu"] = Field(default="cpu", description="where the model runs")


class Embeddings(ConfigurableResource[None]):
    """The model that embeds passages and queries."""

    model: str = Field(description="name or folder for sentence-transformers (EMBEDDING_MODEL)")

    def embedder(self) -> InProcessEmbedder:
        """Return the embedder; its model loads when first used."""
        return InProcessEmbedder(self.model)


def whisper_of(settings: Settings) -> Whisper:
    """Return the GPU or the CPU configuration, as WHISPER_DEVICE says."""
    kind = GpuWhisper if chosen_device(settings) == "cuda" else CpuWhisper
    return kind(
        model=settings.whisper_model,
        compute=settings.whisper_compute,
        parallel_models=settings.whisper_parallel_models,
        asr_workers=settings.asr_workers,
    )


def chosen_device(settings: Settings) -> str:
    """Return cuda or cpu; auto asks NVIDIA's library whether there is a GPU."""
    if settings.whisper_device != "auto":
        return settings.whisper_device
    import pynvml

    try:
        pynvml.nvmlInit()
        return "cuda" if pynvml.nvmlDeviceGetCount() else "cpu"
    except pynvml.NVMLError:
        return "cpu"
