"""How fast passages are written and found, and how much of what an exact search finds the index finds too."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/bench/search"
"""Vectors that are made once; `make clean` removes them."""
RESULTS = ROOT / "benchmarks/results"
