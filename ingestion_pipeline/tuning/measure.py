"""`python -m ingestion_pipeline.tuning.measure`: one configuration, in a process that ends with it."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from ingestion_pipeline.errors import ModelFault
from ingestion_pipeline.speech.recogniser import WhisperConfig

from .plan import Measurement

_LEAST_S = 8.0
"""A small model takes the files again and again for as long as this."""


def measure(config: WhisperConfig, files: Sequence[Path], patience_s: float) -> Measurement:
    """Return how a configuration fares with some audio files; what does not work, or not in time, is a `fault`."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(config)), *map(str, files)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience_s)
    except subprocess.TimeoutExpired:
        return Measurement(config, fault=f"not done after {patience_s:.0f} s")
    if done.returncode < 0:
        return Measurement(config, fault=f"ended by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
        return Measurement(config, fault=said[-1].rpartition("Fault: ")[2])
    return Measurement(config, **json.loads(done.stdout.splitlines()[-1]))


def _measured(config: WhisperConfig, files: Sequence[Path]) -> dict[str, float]:
    """Load, warm up, and take the files as a backfill would: all of them wait at once."""
    import joblib

    from ingestion_pipeline.serving.telemetry import Telemetry
    from ingestion_pipeline.speech.resident import ResidentWhisper

    whisper, telemetry = ResidentWhisper(config), Telemetry()

    def heard_s(file: Path) -> float:
        return whisper.transcribe(file.name, file, None, said=lambda _: None).duration_s

    heard_s(files[0])
    if not whisper.compute_type.startswith(config.compute):
        raise ModelFault(f"{config.compute} does not work here, {whisper.compute_type} does.")
    began = monotonic()
    audio_s = took_s = 0.0
    while took_s < _LEAST_S:
        with ThreadPoolExecutor(len(files)) as threads:
            audio_s += sum(threads.map(heard_s, files))
        took_s = monotonic() - began
    figures = telemetry.since(began)
    busy = figures["cpu_mean_cores"] / joblib.cpu_count()
    memory = figures["memory_peak_mb"]
    if config.device == "cuda":
        busy, memory = figures.get("gpu_mean_sm_percent", 0.0) / 100, figures.get("gpu_peak_memory_mb", 0.0)
    return {"rtfx": audio_s / took_s, "memory_bytes": memory * 1e6, "busy": busy}


if __name__ == "__main__":
    print(json.dumps(_measured(WhisperConfig(**json.loads(sys.argv[1])), [Path(file) for file in sys.argv[2:]])))
