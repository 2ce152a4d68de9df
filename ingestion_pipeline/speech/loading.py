"""Whisper models loaded for an engine: threads that fit the cores, and a compute type that works."""

import logging
from collections.abc import Iterator
from contextlib import suppress

import joblib
import numpy as np
from faster_whisper import WhisperModel

from .decoder import Decoder, mel_of
from .decoding import Decoding
from .heap import keep_freed_memory
from .models import fault_of, load_cublas, model_path
from .waveform import RATE

_NEXT_BEST = {"cuda": ("float16", "int8", "float32"), "cpu": ("int8", "float32")}
_REFUSED = ("compute type", "CUBLAS_STATUS")
"""What CTranslate2 says where a device cannot compute in a type: when it loads, or when it computes."""
_MOST_TOKENS = 440
"""That a chunk may have, time tokens included: of Whisper's 448 places its prompt takes at most 4.

By itself CTranslate2 allows half of `max_length`, 224, and what is said after those would be lost: 30 s in scripts that
take several tokens to a letter have more.
"""
_ONE_IS_ENOUGH = "Set WHISPER_PARALLEL_MODELS=1."
_LOG = logging.getLogger(__name__)


def load_model(model: str, device: str, compute: str, workers: int) -> WhisperModel:
    """Return one set of weights for `workers` parallel decodes; raise `ModelFault` where it does not load.

    Where `compute` does not work on the device, the next best does, and a warning says so.
    """
    keep_freed_memory()
    threads, first = _threads(device, workers), None
    if device == "cuda":
        with suppress(OSError):  # CTranslate2 says itself what is missing, first of all a driver
            load_cublas()
    for wanted in _compute_types(device, compute):
        try:
            loaded = _working(str(model_path(model)), device, wanted, threads, workers)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            first = first or error.with_traceback(None)  # which holds the model, and with it the GPU's memory
            if not any(words in str(error) for words in _REFUSED):
                break
            continue
        if wanted != compute:
            _LOG.warning("Compute type %s does not work here (%s); %s serves.", compute, first, wanted)
        return loaded
    assert first is not None
    raise fault_of(model, device, first) from first


def _threads(device: str, workers: int) -> int:
    """Return how many CPU threads each worker may have; warn of more workers than the device has use for."""
    if device == "cuda":
        if workers > 1:
            _LOG.warning("%d models on one GPU take turns on it: batches fill it better. %s", workers, _ONE_IS_ENOUGH)
        return 1
    cores: int = joblib.cpu_count()
    if workers > cores:
        _LOG.warning("%d decode workers on %d cores: more than one a core brings nothing.", workers, cores)
    return max(1, cores // workers)


def _compute_types(device: str, wanted: str) -> Iterator[str]:
    yield wanted
    yield from (other for other in _NEXT_BEST[device] if other != wanted)


def _working(path: str, device: str, compute: str, threads: int, workers: int) -> WhisperModel:
    loaded = WhisperModel(path, device, compute_type=compute, cpu_threads=threads, num_workers=workers)
    loaded.max_length = 2 * _MOST_TOKENS
    _try_out(loaded)
    return loaded


def _try_out(model: WhisperModel) -> None:
    """Decode a second of silence on a GPU, where an unsupported type is only noticed by what it computes.

    A CPU refuses one when it loads.
    """
    if model.model.device == "cuda":
        silence = mel_of(model, np.zeros(RATE, np.float32))
        Decoder(model, Decoding("en", beam=1, gated=False, max_tokens=8))([silence], [1.0])
