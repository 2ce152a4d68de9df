"""What it costs to have a run for each video: the model server beside a model in each step."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/bench"
"""Models and audio that are made once; `make clean` removes them."""
RESULTS = ROOT / "benchmarks/results"
