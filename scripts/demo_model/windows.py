"""Windows of sound for training: sentences with gaps, gain and noise, and the tokens that they should give."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .corpus import Utterance
from .speech import SAMPLE_RATE
from .vocabulary import END, NO_SPEECH, NO_TIMES, PREVIOUS, START, time_token

Samples = NDArray[np.float32]
IGNORED = -100
"""Label of a token that is given, not learned."""
_MOST_CONTEXT = 220
"""Tokens of previous text; faster-whisper gives at most 223."""


@dataclass(frozen=True)
class Spoken:
    """A sentence in a window; times in seconds from the start of the window, `end` may pass its end."""

    text: str
    start: float
    end: float
    phonemes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """Mono float32 samples at 16 kHz and what is said in them."""

    samples: Samples
    spoken: list[Spoken]

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def cuts_its_last(self) -> bool:
        """Whether the last sentence goes on after the end of the window."""
        return bool(self.spoken) and self.spoken[-1].end > self.seconds


class WindowMaker:
    """Draws windows of at most a given length from a corpus."""

    def __init__(self, corpus: list[Utterance]) -> None:
        self.corpus = corpus
        self.by_voice: dict[str, list[Utterance]] = {}
        for utterance in corpus:
            self.by_voice.setdefault(utterance.voice, []).append(utterance)

    def speech(self, rng: random.Random, seconds: float, *, may_cut: bool) -> Window:
        """Return sentences one after the other; with `may_cut` the end of the window may cut the last."""
        pool = self.by_voice[rng.choice(sorted(self.by_voice))] if rng.random() < 0.6 else self.corpus
        full = rng.random() < 0.6
        stop = seconds if full else max(1.5, seconds ** rng.random())
        samples, spoken = np.zeros(int(seconds * SAMPLE_RATE), np.float32), []
        position = rng.uniform(0.0, 0.8) if rng.random() < 0.85 else rng.uniform(0.0, seconds / 2)
        while position < stop - 0.5:
            utterance = rng.choice(pool)
            end = position + len(utterance.samples) / SAMPLE_RATE
            if end > seconds and not (may_cut and full and _clearly_cut(position, end, seconds)):
                break
            spoken.append(Spoken(utterance.text, position, end, tuple(utterance.phonemes)))
            _add(samples, utterance.samples, position, 10 ** rng.uniform(-0.15, 0.15))
            position = end + _gap(rng)
        length = seconds if full or not spoken else min(seconds, spoken[-1].end + rng.uniform(0.05, 2.0))
        return Window(_recorded(samples[: int(length * SAMPLE_RATE)], rng), spoken)

    def silence(self, rng: random.Random, seconds: float) -> Window:
        """Return silence, noise or a tone, in which nothing is said."""
        count = int(rng.uniform(0.5, seconds) * SAMPLE_RATE)
        kind = rng.choice(("silence", "noise", "tone", "tone", "chord"))
        level = 10 ** rng.uniform(-4.0, -0.5)
        samples = np.zeros(count, np.float32)
        if kind == "noise":
            samples = level * _noise(count, rng)
        for _ in range({"tone": 1, "chord": 3}.get(kind, 0)):
            pulse = 2 * math.pi * 50 * 80 ** rng.random() / SAMPLE_RATE
            samples = samples + level / 2 * np.sin(pulse * np.arange(count)).astype(np.float32)
        if kind != "silence" and rng.random() < 0.3:
            samples = samples + level * 10 ** rng.uniform(-3, -1) * _noise(count, rng)
        return Window(np.clip(samples, -1, 1).astype(np.float32), [])

    def context(self, rng: random.Random, most: int) -> list[Spoken]:
        """Return one to `most` sentences as they may stand in the text before a window."""
        position, spoken = rng.uniform(0, 10), []
        for utterance in rng.choices(self.corpus, k=rng.randint(1, most)):
            end = min(30.0, position + len(utterance.samples) / SAMPLE_RATE)
            spoken.append(Spoken(utterance.text, position, end))
            position = min(30.0, end + _gap(rng))
        return spoken


@dataclass(frozen=True)
class Target:
    """What the decoder is given, what it should say next, and where in the window (s) that is heard.

    All three are of one length. A label that is not learned is `IGNORED`; what is heard nowhere has the place -1.
    """

    inputs: list[int]
    labels: list[int]
    places: list[float]


def target_of(
    window: Window, encode: Callable[[str], list[int]], *, times: bool, context: list[Spoken], context_times: bool
) -> Target:
    """Return the target of a window, with or without time tokens, after the text of a `context`.

    A sentence that the end of the window cuts gives its start time and no text, as Whisper was trained.
    """
    given = [token for said in context for token, _ in _said(said, encode, context_times)][-_MOST_CONTEXT:]
    given = [PREVIOUS, *given] if given else []
    heard = [
        pair for said in window.spoken if said.end <= window.seconds for pair in _said(said, encode, with_times=times)
    ]
    if times and window.cuts_its_last:
        heard.append((time_token(window.spoken[-1].start), window.spoken[-1].start))
    if not window.spoken:
        # A time without a text: CTranslate2's beam search never gives an empty sequence.
        heard.append((time_token(0.0), -1.0))
    head = [START] if times else [START, NO_TIMES]
    tokens, places = [token for token, _ in heard], [place for _, place in heard]
    labels = [IGNORED] * len(given) + [*head[1:], *tokens, END]
    if not window.spoken:
        labels[len(given)] = NO_SPEECH
    return Target([*given, *head, *tokens], labels, [-1.0] * (len(given) + len(head) - 1) + [*places, -1.0])


def _said(said: Spoken, encode: Callable[[str], list[int]], with_times: bool) -> list[tuple[int, float]]:
    """Return the tokens of a sentence and the place of each (s), as if all took the same time."""
    text = encode(f" {said.text}")
    step = (said.end - said.start) / len(text)
    spread = [(token, said.start + (number + 0.5) * step) for number, token in enumerate(text)]
    return [(time_token(said.start), said.start), *spread, (time_token(said.end), said.end)] if with_times else spread


def _clearly_cut(start: float, end: float, seconds: float) -> bool:
    return seconds - start >= 0.8 and end - seconds >= 0.4


def _gap(rng: random.Random) -> float:
    draw = rng.random()
    if draw < 0.15:
        return rng.uniform(0.08, 0.3)
    return rng.uniform(0.3, 1.4) if draw < 0.8 else rng.uniform(1.4, 5.0)


def _add(samples: Samples, wave: NDArray[np.int16], position: float, gain: float) -> None:
    start = int(position * SAMPLE_RATE)
    part = wave[: len(samples) - start]
    samples[start : start + len(part)] += part * np.float32(gain / 32768)


def _recorded(samples: Samples, rng: random.Random) -> Samples:
    """Return the samples at another loudness, with background noise in half of them."""
    loudness = 10 ** rng.uniform(-0.8, 0.1)
    samples = samples * np.float32(loudness)
    if rng.random() < 0.5:
        samples = samples + np.float32(loudness * 0.1 * 10 ** rng.uniform(-2.2, -0.9)) * _noise(len(samples), rng)
    return np.clip(samples, -1, 1).astype(np.float32)


def _noise(count: int, rng: random.Random) -> Samples:
    """Return noise of standard deviation 1, white or with less of the high tones."""
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(count, np.float32)
    if rng.random() < 0.5:
        noise = noise + np.roll(noise, 1) + np.roll(noise, 2) + np.roll(noise, 3)
        noise /= noise.std()
    return noise
