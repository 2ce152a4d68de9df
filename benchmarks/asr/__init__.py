"""How fast four ways of transcribing the same files are, and how much memory they take."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/bench"
"""Models and audio that are made once; `make clean` removes them."""
RESULTS = ROOT / "benchmarks/results"
