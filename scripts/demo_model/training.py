"""The training loop: a curriculum of windows, from 5 s to 30 s, that can be interrupted and goes on."""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import WhisperForConditionalGeneration

from . import network as net
from . import vocabulary
from .corpus import Utterance
from .windows import IGNORED, Window, WindowMaker, tokens_of

PEAK_RATE = 1.5e-3
WARM_UP = 300
"""Steps until the learning rate is at its peak; then it falls along a cosine."""
CHECKPOINT_EVERY = 100
REPORT_EVERY = 25


@dataclass(frozen=True)
class Stage:
    """Part of the curriculum: so many steps of `batch` windows of at most `seconds`."""

    seconds: int
    batch: int
    steps: int


@dataclass(frozen=True)
class Batch:
    """Features (batch, 80, frames), tokens and labels (batch, tokens), first encoder position."""

    features: torch.Tensor
    tokens: torch.Tensor
    labels: torch.Tensor
    offset: int


@dataclass(frozen=True)
class Progress:
    """How far the training is; `accuracy` is the share of right next tokens among words, times apart."""

    step: int
    steps: int
    seconds: int
    loss: float
    accuracy: float
    elapsed_s: float


class Batches:
    """Draws batch number `step` from the seed and that number alone, so that training can go on anywhere."""

    def __init__(self, corpus: list[Utterance], tokenizer: Tokenizer, stages: list[Stage], seed: int) -> None:
        self.maker, self.tokenizer, self.stages, self.seed = WindowMaker(corpus), tokenizer, stages, seed
        self._pieces: dict[str, list[int]] = {}
        self._extractor = FeatureExtractor()

    def __getitem__(self, step: int) -> Batch:
        rng, stage = random.Random(f"{self.seed}/batch/{step}"), self._stage(step)
        offset, most_context = (0, 0) if stage is self.stages[0] else self._placement(rng, stage.seconds)
        features = np.zeros((stage.batch, 80, 100 * stage.seconds), np.float32)
        tokens, labels = [], []
        for row in features:
            window, given, wanted = self._example(rng, stage.seconds, offset, most_context)
            self._fill(row, window, rng)
            tokens.append(given)
            labels.append(wanted)
        return Batch(torch.from_numpy(features), _padded(tokens, vocabulary.END), _padded(labels, IGNORED), offset)

    def __len__(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def seconds(self, step: int) -> int:
        """Return the length of the windows of a step."""
        return self._stage(step).seconds

    def _stage(self, step: int) -> Stage:
        ends = accumulate(stage.steps for stage in self.stages)
        return next(stage for stage, end in zip(self.stages, ends, strict=True) if step < end)

    def _placement(self, rng: random.Random, seconds: int) -> tuple[int, int]:
        """Return where on the 30 s clock the windows begin, and how many sentences of previous text they may have.

        Both come after the first stage: with them from the start the decoder does not find the sound.
        """
        offset = rng.randrange(net.POSITIONS - 50 * seconds) if seconds < 30 and rng.random() < 0.5 else 0
        return offset, 0 if rng.random() < 0.75 else rng.choice((1, 2, 10))

    def _example(
        self, rng: random.Random, seconds: int, offset: int, most_context: int
    ) -> tuple[Window, list[int], list[int]]:
        times = rng.random() < 0.75
        silent = rng.random() < 0.07
        window = self.maker.silence(rng, seconds) if silent else self.maker.speech(rng, seconds, may_cut=times)
        context = self.maker.context(rng, most_context) if most_context else []
        tokens, labels = tokens_of(
            window,
            self._encode,
            times=times,
            context=context,
            context_times=rng.random() < 0.7,
            offset=offset * vocabulary.TIME_STEP,
        )
        return window, tokens, labels

    def _fill(self, row: np.ndarray, window: Window, rng: random.Random) -> None:
        """Write log-mel features as faster-whisper makes them; what follows the sound stays zero, as there."""
        features = self._extractor(window.samples, padding=160)[:, : row.shape[1]]
        if rng.random() < 0.4:
            features = _in_a_file_as_loud_as(features, rng.uniform(0.3, 1.8))
        row[:, : features.shape[1]] = features

    def _encode(self, text: str) -> list[int]:
        if text not in self._pieces:
            self._pieces[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self._pieces[text]


def train(
    network: WhisperForConditionalGeneration, batches: Batches, checkpoint: Path, device: str
) -> Iterator[Progress]:
    """Train in place, from `checkpoint` where there is one; yield the means of every `REPORT_EVERY` steps."""
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    state = torch.load(checkpoint, map_location=device) if checkpoint.exists() else {"step": 0, "elapsed_s": 0.0}
    if state["step"]:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    started = time.monotonic() - state["elapsed_s"]
    recent: list[tuple[float, float]] = []
    for step in range(state["step"], len(batches)):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * _rate(step, len(batches))
        recent.append(_learn(network, optimizer, batches[step], device))
        elapsed_s = time.monotonic() - started
        if len(recent) == REPORT_EVERY:
            loss, accuracy = np.mean(recent, axis=0)
            yield Progress(step + 1, len(batches), batches.seconds(step), loss, accuracy, elapsed_s)
            recent.clear()
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == len(batches):
            _save(checkpoint, network, optimizer, step + 1, elapsed_s)


def _learn(
    network: WhisperForConditionalGeneration, optimizer: torch.optim.Optimizer, batch: Batch, device: str
) -> tuple[float, float]:
    labels = batch.labels.to(device)
    with torch.autocast(device, torch.bfloat16):
        heard = net.hear(network, batch.features.to(device), batch.offset)
        logits = net.token_logits(network, heard, batch.tokens.to(device))
    wanted = labels != IGNORED
    logits, labels = logits[wanted].float(), labels[wanted]
    loss = functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    words = labels < vocabulary.END
    return loss.item(), (logits.argmax(-1) == labels)[words].float().mean().item()


def _rate(step: int, steps: int) -> float:
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP))) / 2


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def _in_a_file_as_loud_as(features: np.ndarray, loudest: float) -> np.ndarray:
    """Return the features that a window has in a file whose loudest feature is `loudest`.

    Whisper raises what is more than 8 powers of ten below the loudest of the whole file, and scales by a quarter.
    """
    return np.maximum(features, loudest - 2)


def _save(
    checkpoint: Path,
    network: WhisperForConditionalGeneration,
    optimizer: torch.optim.Optimizer,
    step: int,
    elapsed_s: float,
) -> None:
    state = {"step": step, "elapsed_s": elapsed_s, "network": network.state_dict(), "optimizer": optimizer.state_dict()}
    partial_file = checkpoint.with_suffix(".part")
    torch.save(state, partial_file)
    partial_file.rename(checkpoint)
