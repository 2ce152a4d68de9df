"""Recordings of any length, made of the sentences that the project ships: its episodes, its held-out speech."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from json import loads
from pathlib import Path

import av
import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from ingestion_pipeline.demo import EPISODES

from . import ROOT

Samples = NDArray[np.float32]
RATE = 16_000
"""Hz."""
_HELDOUT = ROOT / "ingestion_pipeline_tests/data/heldout/heldout.opus"
_EDGE_S = 0.15
"""Kept before and after a sentence; in the sources at least 0.5 s lie between two of them."""
_ROOM_NOISE = 0.0005
"""Standard deviation of what is heard in a pause, as in the sources."""
_LONG_PAUSE = 1 / 30
"""Share of the pauses that last 3 to 6 s, as jingles and silences do; the others last 0.3 to 1.2 s."""
_BIT_RATE = 24_000
"""Bits a second of Opus."""


@dataclass(frozen=True)
class Sentence:
    """What is said, and its samples (n,) at 16 kHz with an edge on each side."""

    text: str
    samples: Samples


def recording(seed: str, seconds: float) -> tuple[Samples, str]:
    """Return samples of exactly `seconds`, of sentences and pauses drawn from the seed, and what is said in them."""
    rng, said = random.Random(seed), []
    pieces: list[Samples] = [_pause(rng)]
    left = round(seconds * RATE) - len(pieces[0])
    while (sentence := rng.choice(_sentences())) and len(sentence.samples) <= left:
        pause = _pause(rng)
        pieces += [sentence.samples, pause]
        said.append(sentence.text)
        left -= len(sentence.samples) + len(pause)
    samples = np.concatenate([*pieces, _noise(rng, max(left, 0))])
    return samples[: round(seconds * RATE)], " ".join(said)


def write_opus(file: Path, parts: Iterable[Samples]) -> None:
    """Write mono Opus of the parts, one after the other."""
    with av.open(str(file), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = _BIT_RATE
        for part in parts:
            container.mux(stream.encode(_frame(part)))
        container.mux(stream.encode(None))


def _frame(samples: Samples) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray((samples.clip(-1, 1) * 32767).astype(np.int16)[None], "s16", "mono")
    frame.sample_rate = RATE
    return frame


@cache
def _sentences() -> list[Sentence]:
    return list(chain.from_iterable(_cut(file) for file in [*EPISODES, _HELDOUT]))


def _cut(file: Path) -> Iterator[Sentence]:
    samples = decode_audio(str(file), RATE)
    for row in loads(file.with_suffix(".json").read_text())["spoken"]:
        first, last = ((row["start"] - _EDGE_S) * RATE, (row["end"] + _EDGE_S) * RATE)
        yield Sentence(row["text"], samples[max(0, round(first)) : round(last)])


def _pause(rng: random.Random) -> Samples:
    bounds = (3.0, 6.0) if rng.random() < _LONG_PAUSE else (0.3, 1.2)
    return _noise(rng, round(rng.uniform(*bounds) * RATE))


def _noise(rng: random.Random, count: int) -> Samples:
    return np.random.default_rng(rng.getrandbits(32)).standard_normal(count, np.float32) * np.float32(_ROOM_NOISE)
