"""Chunks: up to 30 s of speech without the long silences, cut where somebody pauses. The unit of recognition."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from .voice import FRAME_S, NOTHING, Speech
from .waveform import Samples

_MOST = int(30 / FRAME_S)
"""Frames: Whisper listens to 30 s at a time."""
_LEAST = int(20 / FRAME_S)
"""Frames: the longest pause after 20 s ends a chunk."""
_LATER_IS_BETTER = 30
"""Frames by which a pause at 20 s must be longer than one at 30 s: full chunks are decoded faster than many."""
_PAUSE = 0.35
"""Probability of voice under which a frame may be cut at."""


@dataclass(frozen=True)
class Chunk:
    """Some speech: `samples` (n * 512,) at 16 kHz, `index` (n,) the place of each 32 ms frame in the audio."""

    samples: Samples
    index: NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """Its own duration; that of the audio from its start to its end may be longer."""
        return len(self.index) * FRAME_S

    @property
    def end_s(self) -> float:
        """Where it ends in the audio."""
        return float(self.index[-1] + 1) * FRAME_S

    def without_samples(self) -> "Chunk":
        """Return where it lies in the audio, in memory of its own: a view would keep the samples alive."""
        return Chunk(np.empty(0, np.float32), self.index.copy())

    def span_of(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Return from when to when (s) in the audio something is said, given its times in the chunk.

        Nobody says a word over a silence that was left out: of its two parts the longer one counts.
        """
        last = len(self.index) - 1
        first = min(max(int(start_s / FRAME_S), 0), last)
        frames = np.arange(first, max(first, min(int(np.ceil(end_s / FRAME_S)) - 1, last)) + 1)
        parts = np.split(frames, np.flatnonzero(np.diff(self.index[frames]) > 1) + 1)
        part = max(parts, key=len)
        shift = float(self.index[part[0]] - part[0]) * FRAME_S
        least, most = float(part[0]) * FRAME_S, float(part[-1] + 1) * FRAME_S
        return min(max(start_s, least), most) + shift, min(max(end_s, least), most) + shift


def chunks_of(speech: Iterable[Speech]) -> Iterator[Chunk]:
    """Yield the chunks of a speech that comes bit by bit."""
    held = NOTHING
    for part in speech:
        held += part
        while len(held) > _MOST:
            cut = _best_cut(held[:_MOST])
            yield _chunk(held[:cut])
            held = held[cut:]
    if len(held):
        yield _chunk(held)


def _chunk(speech: Speech) -> Chunk:
    return Chunk(speech.samples.reshape(-1), speech.index)


def _best_cut(speech: Speech) -> int:
    """Return the frame before which to cut: in the longest pause, or where the voice is weakest."""
    pauses = list(_pauses(speech))
    if not pauses:
        return _LEAST + int(np.argmin(speech.voice[_LEAST:]))
    return max(pauses)[1]


def _pauses(speech: Speech) -> Iterator[tuple[float, int]]:
    """Yield worth and middle of each pause after `_LEAST`; silence that was left out of the speech counts."""
    for quiet, run in groupby(range(_LEAST, len(speech)), key=lambda frame: speech.voice[frame] < _PAUSE):
        if quiet:
            frames = np.array(list(run))
            length = speech.index[frames[-1]] - speech.index[frames[0]] + 1
            later = (frames[0] - _LEAST) / (_MOST - _LEAST)
            yield float(length + _LATER_IS_BETTER * later), int(_middle(speech.index, frames))


def _middle(index: NDArray[np.int64], frames: NDArray[np.int64]) -> int:
    """Return the frame after what was left out of a pause, or else the one in its middle."""
    steps = np.diff(index[frames])
    if len(steps) and steps.max() > 1:
        return int(frames[steps.argmax() + 1])
    return int(frames[len(frames) // 2])
