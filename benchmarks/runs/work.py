"""What all ways of running a backfill have in common: the videos, the model, how a chunk is decoded."""

import json
from pathlib import Path

import joblib

from benchmarks.asr.arms import decoding_of
from benchmarks.asr.setup import Setup
from benchmarks.asr.speech import recording, write_opus
from ingestion_pipeline.speech.decoding import Decoding
from ingestion_pipeline.speech.recogniser import WhisperConfig

from . import BUILT

VIDEOS_AT_ONCE = 2
"""ASR_WORKERS."""


def setup_of(model: str) -> Setup:
    """Return the engine's setup on this machine's cores; beam 1: the faster the engine, the more the rest weighs."""
    cores = joblib.cpu_count()
    return Setup(model, "cpu", "int8", cores, workers=cores, batch=4, pipeline_batch=8, beam=1)


def config_of(model: str) -> WhisperConfig:
    """Return the configuration for a model server, or for a step of its own."""
    setup = setup_of(model)
    name = model if setup.real else setup.folder()
    return WhisperConfig(name, setup.device, setup.compute, parallel=setup.workers, videos=VIDEOS_AT_ONCE)


def fixed_decoding(model: str) -> Decoding:
    """Return how a chunk is decoded: 100 tokens for each where the weights are random, else as always."""
    return decoding_of(setup_of(model))


def episodes(count: int, seconds: float) -> list[Path]:
    """Return podcast episodes; the first call writes them."""
    folder = BUILT / "audio" / f"runs-{seconds:.0f}"
    folder.mkdir(parents=True, exist_ok=True)
    return [_episode(folder / f"episode-{number:03}.opus", seconds) for number in range(count)]


def _episode(file: Path, seconds: float) -> Path:
    about = file.with_suffix(".json")
    if not about.exists():
        write_opus(file, [recording(file.stem, seconds)[0]])
        about.write_text(json.dumps({"title": file.stem, "duration_s": seconds}) + "\n")
    return file
