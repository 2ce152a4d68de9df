"""The training loop: a curriculum of windows, from 5 s to 30 s, that can be interrupted and goes on."""

import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer
from torch.nn import functional

from . import vocabulary
from .corpus import Utterance
from .network import Trainee
from .windows import IGNORED, Target, Window, WindowMaker, target_of

PEAK_RATE = 3e-3
WARM_UP = 300
"""Steps until the learning rate is at its peak."""
CTC_SHARE = 0.5
"""Weight of the CTC loss beside that of the decoder."""
GUIDE_SHARE = 0.5
"""Weight of the guided attention."""
GUIDE_REACH = 25
"""Encoder positions, 0.5 s: places are spread evenly over a sentence, its words are not."""
CHECKPOINT_EVERY = 100
REPORT_EVERY = 25


@dataclass(frozen=True)
class Stage:
    """Part of the curriculum: so many steps of `batch` windows of at most `seconds`.

    In a share of them, `silent`, nothing is said. A stage of the longest windows begins at a share of the peak rate.
    """

    seconds: int
    batch: int
    steps: int
    silent: float = 0.1
    rate: float = 1 / 3


@dataclass(frozen=True)
class Batch:
    """Features (batch, 80, frames); tokens, labels and places in encoder positions (batch, tokens), see `Target`.

    `phonemes` (batch, at most so many) are those spoken; of them `phoneme_counts` (batch) count, -1 where the window
    cuts a sentence.
    """

    features: torch.Tensor
    tokens: torch.Tensor
    labels: torch.Tensor
    places: torch.Tensor
    phonemes: torch.Tensor
    phoneme_counts: torch.Tensor


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
        self.phonemes = sorted({phoneme for utterance in corpus for phoneme in utterance.phonemes})
        self._phoneme_id = {phoneme: number for number, phoneme in enumerate(self.phonemes)}
        self._extractor = FeatureExtractor()

    def __getitem__(self, step: int) -> Batch:
        rng, stage = random.Random(f"{self.seed}/batch/{step}"), self._stage(step)
        most_context = 0 if stage is self.stages[0] or rng.random() < 0.8 else rng.choice((1, 2, 10))
        windows, targets = zip(*(self._example(rng, stage, most_context) for _ in range(stage.batch)), strict=True)
        features = np.zeros((stage.batch, 80, 100 * stage.seconds), np.float32)
        for row, window in zip(features, windows, strict=True):
            self._fill(row, window, rng)
        phonemes = [[self._phoneme_id[name] for said in window.spoken for name in said.phonemes] for window in windows]
        counts = [-1 if window.cuts_its_last else len(said) for window, said in zip(windows, phonemes, strict=True)]
        return Batch(
            features=torch.from_numpy(features),
            tokens=_padded([target.inputs for target in targets], vocabulary.END),
            labels=_padded([target.labels for target in targets], IGNORED),
            places=_padded([target.places for target in targets], -1.0) / vocabulary.TIME_STEP,
            phonemes=_padded(phonemes, 0),
            phoneme_counts=torch.tensor(counts),
        )

    def __len__(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def seconds(self, step: int) -> int:
        """Return the length of the windows of a step."""
        return self._stage(step).seconds

    def _stage(self, step: int) -> Stage:
        ends = accumulate(stage.steps for stage in self.stages)
        return next(stage for stage, end in zip(self.stages, ends, strict=True) if step < end)

    def _example(self, rng: random.Random, stage: Stage, most_context: int) -> tuple[Window, Target]:
        times = rng.random() < 0.75
        seconds, silent = stage.seconds, rng.random() < stage.silent
        window = self.maker.silence(rng, seconds) if silent else self.maker.speech(rng, seconds, may_cut=times)
        context = self.maker.context(rng, most_context) if most_context else []
        return window, target_of(window, self._encode, times=times, context=context, context_times=rng.random() < 0.7)

    def _fill(self, row: np.ndarray, window: Window, rng: random.Random) -> None:
        """Write log-mel features as faster-whisper makes them; what follows the sound stays zero, as there."""
        features = self._extractor(window.samples, padding=160)[:, : row.shape[1]]
        if rng.random() < 0.3:
            features = _in_a_file_as_loud_as(features, rng.uniform(0.3, 1.6))
        row[:, : features.shape[1]] = features

    def _encode(self, text: str) -> list[int]:
        if text not in self._pieces:
            self._pieces[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self._pieces[text]


def train(trainee: Trainee, batches: Batches, checkpoint: Path, device: str) -> Iterator[Progress]:
    """Train in place, from `checkpoint` where there is one; yield the means of every `REPORT_EVERY` steps."""
    trainee.to(device).train()
    if device == "cpu" and _has_bfloat16(device):
        trainee.hear_head_by_head()
    optimizer = torch.optim.AdamW(trainee.parameters(), PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    state = torch.load(checkpoint, map_location=device) if checkpoint.exists() else {"step": 0, "elapsed_s": 0.0}
    if state["step"]:
        trainee.load_state_dict(state["trainee"])
        optimizer.load_state_dict(state["optimizer"])
    started = time.monotonic() - state["elapsed_s"]
    recent: list[tuple[float, float]] = []
    for step, batch in _drawn_ahead(batches, state["step"]):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * _rate(step, batches.stages)
        recent.append(_learn(trainee, optimizer, batch, device))
        elapsed_s = time.monotonic() - started
        if len(recent) == REPORT_EVERY:
            loss, accuracy = np.mean(recent, axis=0)
            yield Progress(step + 1, len(batches), batches.seconds(step), loss, accuracy, elapsed_s)
            recent.clear()
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == len(batches):
            _save(checkpoint, trainee, optimizer, step + 1, elapsed_s)


def _drawn_ahead(batches: Batches, first: int) -> Iterator[tuple[int, Batch]]:
    """Yield the batches from number `first` on; the next is drawn while one is learned, which leaves cores idle.

    NumPy draws on one core: its further threads wait by spinning, on the cores that learn.
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as thread:
        coming = thread.submit(batches.__getitem__, first)
        for step in range(first, len(batches)):
            batch = coming.result()
            if step + 1 < len(batches):
                coming = thread.submit(batches.__getitem__, step + 1)
            yield step, batch


def _learn(trainee: Trainee, optimizer: torch.optim.Optimizer, batch: Batch, device: str) -> tuple[float, float]:
    labels = batch.labels.to(device)
    with torch.autocast(device, torch.bfloat16, enabled=_has_bfloat16(device)):
        logits, ctc_logits, looks = trainee(batch.features.to(device), batch.tokens.to(device))
    wanted = labels != IGNORED
    logits, next_tokens = logits[wanted].float(), labels[wanted]
    loss = functional.cross_entropy(logits, next_tokens)
    whole_loss = loss + CTC_SHARE * _ctc_loss(ctc_logits, batch) + GUIDE_SHARE * _guide_loss(looks, batch)
    optimizer.zero_grad()
    whole_loss.backward()
    torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
    optimizer.step()
    words = next_tokens < vocabulary.END
    return loss.item(), (logits.argmax(-1) == next_tokens)[words].float().mean().item()


@cache
def _has_bfloat16(device: str) -> bool:
    """Tell whether the device computes in bfloat16 itself; a processor that imitates it takes ten times as long."""
    return device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)


def _ctc_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the loss of the phonemes over the windows that cut no sentence; the blank is the last class."""
    whole = batch.phoneme_counts >= 0
    if not whole.any():
        return logits.sum() * 0
    logits = logits[whole.to(logits.device)].float()
    return functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        batch.phonemes[whole].to(logits.device),
        torch.full((len(logits),), logits.shape[1], dtype=torch.long),
        batch.phoneme_counts[whole],
        blank=logits.shape[-1] - 1,
        zero_infinity=True,
    )


def _guide_loss(looks: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return how much the guided heads look elsewhere than within `GUIDE_REACH` of where a token is heard."""
    places = batch.places.to(looks.device)
    distance = (torch.arange(looks.shape[-1], device=looks.device) - places[..., None]).abs()
    near = (looks.float() * (distance <= GUIDE_REACH)[:, None]).sum(-1)
    return -near.clamp_min(1e-6).log().transpose(1, 2)[places >= 0].mean()


def _rate(step: int, stages: list[Stage]) -> float:
    """Return the share of the peak rate: down along a cosine, and in each stage of the longest windows once more.

    These begin with a warm restart (Loshchilov and Hutter 2017, arXiv:1608.03983): at the rate where the shorter
    windows end, those of 30 s were not learned.
    """
    longest = stages[-1].seconds
    before = sum(stage.steps for stage in stages if stage.seconds < longest)
    if step < min(WARM_UP, before):
        return (step + 1) / WARM_UP
    if step < before:
        return 0.1 + 0.9 * _cosine((step - WARM_UP) / (before - WARM_UP))
    step -= before
    for stage in (stage for stage in stages if stage.seconds == longest):
        if step < stage.steps:
            break
        step -= stage.steps
    return 0.01 + (stage.rate - 0.01) * _cosine(step / stage.steps)


def _cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def _padded(rows: list[list[float]], value: float) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def _in_a_file_as_loud_as(features: np.ndarray, loudest: float) -> np.ndarray:
    """Return the features that a window has in a file whose loudest feature is `loudest`.

    Whisper raises what is more than 8 powers of ten below the loudest of the whole file, and scales by a quarter.
    """
    return np.maximum(features, loudest - 2)


def _save(
    checkpoint: Path,
    trainee: Trainee,
    optimizer: torch.optim.Optimizer,
    step: int,
    elapsed_s: float,
) -> None:
    state = {"step": step, "elapsed_s": elapsed_s, "trainee": trainee.state_dict(), "optimizer": optimizer.state_dict()}
    partial_file = checkpoint.with_suffix(".part")
    torch.save(state, partial_file)
    partial_file.rename(checkpoint)
