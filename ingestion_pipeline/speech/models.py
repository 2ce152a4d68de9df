"""Whisper models by name: where they are, what they know, and what is wrong when one does not load."""

import ctypes
import hashlib
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ingestion_pipeline.demo import MODEL as DEMO_MODEL
from ingestion_pipeline.errors import GpuFault, ModelFault
from ingestion_pipeline.gpu import NEW_PROCESS, gpu_failed, out_of_memory

_NO_DRIVER = "Install NVIDIA's driver or a newer one, or set WHISPER_DEVICE=cpu."
_CUDA = "Run `pip install nvidia-cublas-cu12`, or set WHISPER_DEVICE=cpu."
_CUBLAS = ("libcublasLt.so.12", "libcublas.so.12")
"""The second needs the first."""
FIRST_USE = (
    "Give WHISPER_MODEL a name that faster-whisper knows, or a folder; the first use of a name downloads it from "
    "huggingface.co."
)


def model_path(model: str) -> str | Path:
    """Return what faster-whisper loads: the folder of demo-en, or the name or folder as it is."""
    return DEMO_MODEL if model == "demo-en" else model


def knows_only_english(model: str) -> bool:
    """Tell by its name; the distilled models write English whatever is spoken, and their files do not say so."""
    name = Path(model).name
    return name == "demo-en" or name.endswith(".en") or name.startswith(("distil-", "faster-distil-"))


def identity_of(model: str) -> str:
    """Return the name of a model or, where it is a folder, the hash of its weights."""
    weights = Path(model_path(model)) / "model.bin"
    if not weights.exists():
        return model
    about = weights.stat()
    return _hash_of(weights, about.st_size, about.st_mtime_ns)


def state_of(model: str) -> tuple[int, int] | None:
    """Return what changes with the weights in a folder and is known without reading them; None of a model by name."""
    weights = Path(model_path(model)) / "model.bin"
    return (weights.stat().st_size, weights.stat().st_mtime_ns) if weights.exists() else None


@lru_cache(maxsize=4)
def _hash_of(weights: Path, size: int, _mtime_ns: int) -> str:
    """Return size and SHA-256 of a file, read once for as long as it stays what it is: it may have gigabytes."""
    with weights.open("rb") as file:
        return f"{size} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def check_present(model: str) -> None:
    """Raise `ModelFault` where the files of a model are not on this machine; nothing is downloaded."""
    if (Path(model_path(model)) / "model.bin").exists():
        return
    try:
        from faster_whisper.utils import download_model

        download_model(model, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelFault(f"Whisper model {model} is not on this machine: {error}.", FIRST_USE) from error


def check_cuda() -> None:
    """Raise `ModelFault` where the CUDA library that CTranslate2 needs does not load."""
    try:
        load_cublas()
    except OSError as error:
        raise ModelFault(f"CUDA is not complete: {error}.", _CUDA) from error


def load_cublas() -> None:
    """Load cuBLAS, which CTranslate2 then finds by its name; raise `OSError` where it is not to be had.

    The package nvidia-cublas-cu12 has it where the system's loader does not look.
    """
    try:
        ctypes.CDLL(_CUBLAS[-1])
    except OSError:
        with suppress(PackageNotFoundError):
            folder = distribution("nvidia-cublas-cu12").locate_file("nvidia/cublas/lib")
            for library in _CUBLAS:
                ctypes.CDLL(f"{folder}/{library}")
            return
        raise


def fault_of(model: str, device: str, error: Exception) -> ModelFault:
    """Return what to say about an error of CTranslate2 or of the download, while the model loads or works."""
    if gpu_failed(error):
        return GpuFault(f"The GPU failed under Whisper model {model}: {error}.", NEW_PROCESS)
    if out_of_memory(error):
        whose = "the GPU" if device == "cuda" else "this machine"
        return ModelFault(
            f"Whisper model {model} does not fit into the memory of {whose}: {error}.",
            f"Set a smaller WHISPER_MODEL, or end what else uses the memory of {whose}.",
        )
    if any(words in str(error) for words in ("driver version", "no CUDA-capable device")):
        return ModelFault(f"Whisper model {model} cannot run on {device}: {error}.", _NO_DRIVER)
    if any(name in str(error) for name in ("libcublas", "libcudnn", "CUDA")):
        return ModelFault(f"Whisper model {model} cannot run on {device}: {error}.", _CUDA)
    return ModelFault(f"Whisper model {model} cannot be loaded: {error}.", FIRST_USE)
