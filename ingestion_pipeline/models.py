"""Which models serve, and where: as the settings say."""

from pathlib import Path

from .embedding.embedder import full_name
from .serving.client import ModelServer, ServedEmbedder
from .serving.config import ServerConfig
from .settings import Settings, from_anywhere
from .speech.recogniser import WhisperConfig


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


def whisper_config(settings: Settings) -> WhisperConfig:
    """Return the Whisper that is wanted."""
    return WhisperConfig(
        from_anywhere(settings.whisper_model),
        chosen_device(settings),
        settings.whisper_compute,
        settings.whisper_parallel_models,
        settings.asr_workers,
        settings.whisper_batch,
    )


def server_folder(settings: Settings) -> Path:
    """Return where model servers keep their logs."""
    return settings.data_dir.resolve() / "model-server"


def model_server(settings: Settings) -> ModelServer:
    """Return the model server that all runs share."""
    config = ServerConfig(whisper_config(settings), settings.model_server_idle_s)
    return ModelServer(config, server_folder(settings), settings.model_server_url, settings.model_server_api_key)


def embedding_name(settings: Settings) -> str:
    """Return the name by which the database knows the wanted embedding model."""
    return full_name(from_anywhere(settings.embedding_model), settings.embedding_truncate_dim)


def embedder(settings: Settings) -> ServedEmbedder:
    """Return the embedder of the wanted model."""
    return ServedEmbedder(model_server(settings), embedding_name(settings))
