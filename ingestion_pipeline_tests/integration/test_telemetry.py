"""What the card does, read by NVIDIA's own binding from a small library that stands in for the driver's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from ingestion_pipeline.serving.telemetry import Telemetry
from ingestion_pipeline_tests.support.recordings import episode, write_audio

SOURCE = Path(__file__).parents[1] / "data/nvml.c"
LOOK = """
import json
from ingestion_pipeline.models import chosen_device
from ingestion_pipeline.serving.telemetry import Telemetry
from ingestion_pipeline.settings import load_settings
from pathlib import Path
telemetry = Telemetry()
print(json.dumps([str(telemetry.latest), telemetry.since(0.0), chosen_device(load_settings(Path("none")))]))
"""
TRANSCRIBE = """
import json, sys
from pathlib import Path
from ingestion_pipeline.serving.client import ServedWhisper
from ingestion_pipeline_tests.support.model_servers import audio_of, metric, model_server
lines = []
with model_server(Path(sys.argv[1])) as server:
    found = ServedWhisper(server).transcribe("v1", audio_of(Path(sys.argv[2])), "en", lines.append)
    gauges = [metric(server.address(), f"gpu_{name}") for name in ("sm_ratio", "memory_bytes", "power_watts")]
print(json.dumps([lines, dict(found.usage), gauges]))
"""
PROGRESS = re.compile(
    r"transcribed \d+ of \d+ s \(\d+%\), [\d.]+x real time"
    r" \| Test GPU: SM 93%, VRAM 25% \(4\.0 GB\), 210 W"
    r" \| \d+ videos wait, \d+ chunks ready, [\d.]+ to a batch"
)
"""What the log of a run says of a video that is being transcribed."""


def nvml(folder: Path, *options: str) -> Path:
    """Build the library; return its folder."""
    subprocess.run(["cc", "-shared", "-fPIC", *options, "-o", folder / "libnvidia-ml.so.1", SOURCE], check=True)
    return folder


def answer(script: str, library: Path, *arguments: str) -> object:
    root = Path(__file__).parents[2]
    environment = {"LD_LIBRARY_PATH": str(library), "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=library, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_gpu_is_watched_through_the_real_binding(tmp_path: Path) -> None:
    said, figures, device = answer(LOOK, nvml(tmp_path))  # type: ignore[misc]
    assert said == "Test GPU: SM 93%, VRAM 25% (4.0 GB), 210 W"
    assert figures["gpu_mean_sm_percent"] == pytest.approx(93)
    assert (figures["gpu_peak_memory_mb"], figures["gpu_mean_watts"]) == (4000, 210)
    assert device == "cuda"


@pytest.mark.slow
def test_a_card_that_does_not_tell_its_power(tmp_path: Path) -> None:
    said, figures, _ = answer(LOOK, nvml(tmp_path, "-DNO_POWER"))  # type: ignore[misc]
    assert said == "Test GPU: SM 93%, VRAM 25% (4.0 GB)"
    assert "gpu_mean_watts" not in figures


@pytest.mark.slow
def test_a_run_is_told_every_ten_seconds_what_the_card_does_and_its_transcript_says_it_too(tmp_path: Path) -> None:
    hour = write_audio(tmp_path / "hour.flac", np.tile(episode(), 70), codec="flac")
    lines, usage, gauges = answer(TRANSCRIBE, nvml(tmp_path), str(tmp_path / "server"), str(hour))  # type: ignore[misc]
    assert lines
    for line in lines:
        assert PROGRESS.fullmatch(line), line
    assert usage["gpu_mean_sm_percent"] == pytest.approx(93)
    assert usage["gpu_peak_memory_mb"] == 4000
    assert usage["wait_seconds"] >= 0
    assert gauges == [pytest.approx(0.93), 4e9, 210]


def test_without_a_gpu_the_process_alone_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry()
    try:
        figures = telemetry.since(telemetry.latest.at)
    finally:
        telemetry.close()
    assert set(figures) == {"cpu_mean_cores", "memory_peak_mb"}
    assert figures["memory_peak_mb"] == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.2)
    assert "cores busy" in str(telemetry.latest)
    assert not caplog.records
