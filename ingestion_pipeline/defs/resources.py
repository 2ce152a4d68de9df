"""Resources: where the database is, how audio is fetched, which Whisper listens, what embeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from dagster import ConfigurableResource, EnvVar
from pydantic import Field

from ingestion_pipeline.embedding.embedder import Embedder, InProcessEmbedder
from ingestion_pipeline.models import server_folder, whisper_config
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.serving.client import ModelServer, ServedEmbedder, ServedWhisper
from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.speech.recogniser import InProcessWhisper, Recogniser, WhisperConfig
from ingestion_pipeline.store.database import Database

Mode = Literal["server", "in_process"]


class Store(ConfigurableResource[None]):
    """Postgres with pgvector."""

    url: str = Field(description="direct connection, not through a transaction pooler: session locks are held on it")
    writers: int = Field(description="transactions that write at once, over all runs (DB_WORKERS)")
    retry_after_s: float = Field(
        default=300, description="first pause, in s, before a run is tried again whose failure may pass (RETRY_AFTER_S)"
    )

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
    retention: str = Field(
        default="keep", description="audio that is transcribed: keep, delete, or days that it is kept (AUDIO_RETENTION)"
    )

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
    """How speech is recognised: `asr_workers` limits the videos, `parallel_models` their decodes.

    By a model server that all runs share: that at `server_url` or, without one, this machine's, which the first run
    that needs it starts.
    """

    model: str = Field(description="name that faster-whisper knows, folder, or demo-en (WHISPER_MODEL)")
    device: str = Field(description="where the model runs")
    compute: str = Field(description="compute type of CTranslate2 (WHISPER_COMPUTE)")
    parallel_models: int = Field(description="parallel decodes over one set of weights (WHISPER_PARALLEL_MODELS)")
    batch: int | None = Field(default=None, description="chunks that each decodes at once (WHISPER_BATCH)")
    asr_workers: int = Field(description="videos being transcribed at once, over all runs (ASR_WORKERS)")
    mode: Mode = Field(
        default="server", description="in_process loads the models in the run itself; for tests and one-off scripts"
    )
    server_folder: str = Field(description="where the model server of this machine keeps its log")
    server_url: str | None = Field(default=None, description="a model server elsewhere (MODEL_SERVER_URL)")
    api_key: str | None = Field(default=None, description="its key (MODEL_SERVER_API_KEY)")
    idle_s: float = Field(default=600, description="quiet time after which it ends, in s (MODEL_SERVER_IDLE_S)")

    @property
    def config(self) -> WhisperConfig:
        """What is asked of the model server, or loaded in the run."""
        return WhisperConfig(self.model, self.device, self.compute, self.parallel_models, self.asr_workers, self.batch)

    @property
    def runs_at_once(self) -> int | None:
        """How many runs may transcribe at once; None where the model server sees to that."""
        return self.asr_workers if self.mode == "in_process" else None

    def recogniser(self) -> Recogniser:
        """Return the recogniser; its model loads when first used."""
        return InProcessWhisper(self.config) if self.mode == "in_process" else ServedWhisper(self.server())

    def server(self) -> ModelServer:
        """Return the model server that all runs share."""
        # Dagster hands a whole number on as an integer, and the server's name is a hash of how the number is written.
        config = ServerConfig(self.config, float(self.idle_s))
        return ModelServer(config, Path(self.server_folder), self.server_url, self.api_key)


class GpuWhisper(Whisper):
    """Whisper on an NVIDIA GPU, for bulk work: one model, two workers that share it."""

    device: Literal["cuda"] = Field(default="cuda", description="where the model runs")


class CpuWhisper(Whisper):
    """Whisper on a CPU server, for a few new videos a day: several parallel decodes, as many workers."""

    device: Literal["cpu"] = Field(default="cpu", description="where the model runs")


class Embeddings(ConfigurableResource[None]):
    """The model that embeds passages and queries, on the model server as well."""

    model: str = Field(description="name or folder for sentence-transformers (EMBEDDING_MODEL)")

    def embedder(self, whisper: Whisper) -> Embedder:
        """Return the embedder; its model loads when first used."""
        if whisper.mode == "in_process":
            return InProcessEmbedder(self.model)
        return ServedEmbedder(whisper.server(), self.model)


def whisper_of(settings: Settings, mode: Mode = "server") -> Whisper:
    """Return the GPU or the CPU configuration, as WHISPER_DEVICE says."""
    config = whisper_config(settings)
    kind = GpuWhisper if config.device == "cuda" else CpuWhisper
    return kind(
        model=config.model,
        compute=config.compute,
        parallel_models=config.parallel,
        batch=config.batch,
        asr_workers=config.videos,
        mode=mode,
        server_folder=str(server_folder(settings)),
        server_url=settings.model_server_url,
        # The UI shows the variable's name and not the key.
        api_key=EnvVar("MODEL_SERVER_API_KEY") if settings.model_server_api_key else None,
        idle_s=settings.model_server_idle_s,
    )
