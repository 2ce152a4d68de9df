"""The training corpus: grammar sentences in many voices, kept in shards that survive an interruption."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from .sentences import Grammar
from .speech import VOICES, Delivery, phonemes, speak

SHARD = 500
"""Utterances in a shard."""
SCRAMBLED, CROSSED = 0.25, 0.45
"""Shares of utterances whose words stand in no order, and of those made of two halves that do not belong together.

Without them the model learns the grammar, and hears it where something else is said.
"""
EPISODES = Path(__file__).with_name("episodes.yaml")


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence; `samples` is mono int16 at 16 kHz."""

    text: str
    phonemes: list[str]
    voice: str
    samples: NDArray[np.int16]


def heldout_texts(count: int = 200, seed: int = 4242) -> list[str]:
    """Return the distinct grammar sentences that training must never use."""
    grammar, rng = Grammar(), random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[grammar.sentence(rng)] = None
    return list(texts)


@cache
def episode_texts() -> list[str]:
    """Return every sentence of the demonstration episodes."""
    episodes = yaml.safe_load(EPISODES.read_text())
    return [line for episode in episodes for line in episode["text"] if isinstance(line, str)]


def build_corpus(folder: Path, utterances: int, seed: int, workers: int) -> Iterator[int]:
    """Write what is missing of `utterances` sentences to `folder`; yield how many stand after each shard."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(utterances // SHARD)
    missing = [shard for shard in shards if not _shard_file(folder, shard).exists()]
    done = utterances - len(missing) * SHARD
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(partial(_write_shard, folder, seed), missing):
            done += SHARD
            yield done


def read_corpus(folder: Path) -> list[Utterance]:
    """Return all utterances of `folder`; their samples stay on disk until they are read."""
    return [utterance for file in sorted(folder.glob("*.npy")) for utterance in _read_shard(file)]


def _shard_file(folder: Path, shard: int) -> Path:
    return folder / f"{shard:04}.npy"


def _write_shard(folder: Path, seed: int, shard: int) -> None:
    rng, grammar = random.Random(f"{seed}/{shard}"), Grammar()
    kept_back = {*heldout_texts(), *episode_texts()}
    rows, waves, position = [], [], 0
    while len(rows) < SHARD:
        text = _drawn_text(grammar, rng)
        if text in kept_back:
            continue
        delivery = Delivery.drawn(rng, VOICES[len(rows) % len(VOICES)])
        wave = np.clip(speak(text, delivery) * 32767, -32768, 32767).astype(np.int16)
        rows.append(
            {
                "text": text,
                "phonemes": phonemes(text, delivery.voice),
                **asdict(delivery),
                "start": position,
                "end": position + len(wave),
            }
        )
        waves.append(wave)
        position += len(wave)
    file = _shard_file(folder, shard)
    file.with_suffix(".json").write_text(json.dumps(rows))
    partial_file = file.with_suffix(".part")
    with partial_file.open("wb") as part:
        np.save(part, np.concatenate(waves))
    partial_file.rename(file)


def _drawn_text(grammar: Grammar, rng: random.Random) -> str:
    draw = rng.random()
    if draw < SCRAMBLED:
        return grammar.scrambled(rng)
    return grammar.crossed(rng, episode_texts()) if draw < SCRAMBLED + CROSSED else grammar.sentence(rng)


def _read_shard(file: Path) -> list[Utterance]:
    samples = np.load(file, mmap_mode="r")
    rows = json.loads(file.with_suffix(".json").read_text())
    return [Utterance(row["text"], row["phonemes"], row["voice"], samples[row["start"] : row["end"]]) for row in rows]
