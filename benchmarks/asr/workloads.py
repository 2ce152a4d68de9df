"""The files that every way of transcribing is given: one long one, many short ones, or both."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import BUILT
from .speech import recording, write_opus

SHORTEST_S, LONGEST_S = 20.0, 60.0
"""Seconds between which a short file lasts."""
WORKLOADS = ("long", "short", "mix")


@dataclass(frozen=True)
class Scale:
    """Sizes of the three workloads; `name` is that of their folder."""

    name: str
    long_s: float
    short_files: int
    mix_long_s: float
    mix_short_s: float


FULL = Scale("full", long_s=3600, short_files=40, mix_long_s=3600, mix_short_s=1800)
QUARTER = Scale("quarter", long_s=900, short_files=10, mix_long_s=900, mix_short_s=450)
QUICK = Scale("quick", long_s=240, short_files=6, mix_long_s=180, mix_short_s=120)
SCALES = {scale.name: scale for scale in (FULL, QUARTER, QUICK)}


@dataclass(frozen=True)
class Recording:
    """An Opus file, how long it lasts (s), and what is said in it."""

    path: Path
    seconds: float
    text: str


def workload(name: str, scale: Scale) -> list[Recording]:
    """Return the recordings of a workload; the first call writes them, in at most a few minutes."""
    folder = BUILT / "audio" / f"{name}-{scale.name}"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _recording(folder / f"{number:03}.opus", f"{name} {number}", seconds)
        for number, seconds in enumerate(_lengths(name, scale))
    ]


def seconds_of(name: str, scale: Scale) -> float:
    """Return how long all recordings of a workload last together."""
    return sum(_lengths(name, scale))


def _lengths(name: str, scale: Scale) -> list[float]:
    """Return the length (s) of each file, in the order in which the files are handed in."""
    rng = random.Random(name)
    if name == "long":
        return [scale.long_s]
    if name == "short":
        return [rng.uniform(SHORTEST_S, LONGEST_S) for _ in range(scale.short_files)]
    lengths = [scale.mix_long_s, *_short_lengths(rng, scale.mix_short_s)]
    rng.shuffle(lengths)
    return lengths


def _short_lengths(rng: random.Random, together_s: float) -> Iterator[float]:
    left = together_s
    while left > LONGEST_S:
        # What is left for the last file must be long enough.
        length = min(rng.uniform(SHORTEST_S, LONGEST_S), left - SHORTEST_S)
        yield length
        left -= length
    yield left


def _recording(file: Path, seed: str, seconds: float) -> Recording:
    said = file.with_suffix(".json")
    if not said.exists():
        samples, text = recording(seed, seconds)
        write_opus(file, [samples])
        said.write_text(json.dumps({"seconds": seconds, "text": text}, indent=2) + "\n")
    return Recording(file, seconds, json.loads(said.read_text())["text"])
