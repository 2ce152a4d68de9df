"""Where somebody speaks: Silero VAD over consecutive windows, as if they were one.

The network's state goes on from one window to the next, so that a seam changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from .waveform import RATE, Samples

FRAME = 512
"""Samples to which the network gives one probability, 32 ms."""
FRAME_S = FRAME / RATE
_CONTEXT = 64
"""Samples of the frame before that the network looks at."""
_BEGINS, _GOES_ON = 0.5, 0.35
"""Probabilities at which speech begins, and under which it ends: Silero's own."""
_PADDING = round(0.4 / FRAME_S)
"""Frames kept on each side of speech, 0.4 s as in faster-whisper: soft first and last sounds."""


@dataclass(frozen=True)
class Speech:
    """Frames with speech in or near them: `samples` (n, 512), `index` (n,) in the audio, `voice` (n,) 0 to 1."""

    samples: Samples
    index: NDArray[np.int64]
    voice: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.index)

    def __add__(self, other: "Speech") -> "Speech":
        return Speech(
            np.concatenate([self.samples, other.samples]),
            np.concatenate([self.index, other.index]),
            np.concatenate([self.voice, other.voice]),
        )

    def __getitem__(self, part: slice) -> "Speech":
        return self.where(part)

    def where(self, chosen: "slice | NDArray[np.bool_]") -> "Speech":
        """Return the chosen frames."""
        return Speech(self.samples[chosen], self.index[chosen], self.voice[chosen])


NOTHING = Speech(np.empty((0, FRAME), np.float32), np.empty(0, np.int64), np.empty(0, np.float32))


def speech_in(windows: Iterable[Samples]) -> Iterator[Speech]:
    """Yield the speech of an audio given window by window, each but the last a multiple of 512 samples long."""
    network, talking = _Network(), False
    held, spoken, decided = NOTHING, np.empty(0, bool), 0
    for frames, first in _framed(windows):
        voice = network(frames)
        said = _spoken(voice, talking)
        talking = bool(said[-1])
        held += Speech(frames, np.arange(first, first + len(frames)), voice)
        spoken = np.concatenate([spoken, said])
        end = max(decided, len(held) - _PADDING)
        yield held[decided:end].where(_padded(spoken)[decided:end])
        past = max(0, end - _PADDING)
        held, spoken, decided = held[past:], spoken[past:], end - past
    yield held[decided:].where(_padded(spoken)[decided:])


def _framed(windows: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Yield the frames of each window (n, 512) and the number of the first; silence fills the very last frame."""
    first = 0
    for window in windows:
        frames = np.pad(window, (0, -len(window) % FRAME)).reshape(-1, FRAME)
        yield frames, first
        first += len(frames)


class _Network:
    """Silero's network, and what it remembers of one audio."""

    def __init__(self) -> None:
        self._session = get_vad_model().session
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros((1, _CONTEXT), np.float32)

    def __call__(self, frames: Samples) -> NDArray[np.float32]:
        """Return the probability (n,) of speech in each frame (n, 512)."""
        tails = frames[:, -_CONTEXT:]
        known = np.concatenate([self._context, tails[:-1]])
        inputs = {"input": np.concatenate([known, frames], axis=1), "h": self._h, "c": self._c}
        voice, self._h, self._c = self._session.run(None, inputs)
        self._context = tails[-1:]
        return np.asarray(voice, np.float32).reshape(-1)


def _spoken(voice: NDArray[np.float32], talking: bool) -> NDArray[np.bool_]:
    """Tell for each frame whether somebody speaks; `talking` says so of the frame before the first."""
    sure = (voice >= _BEGINS) | (voice < _GOES_ON)
    latest = np.maximum.accumulate(np.where(sure, np.arange(len(voice)), -1))
    return np.where(latest >= 0, voice[latest] >= _BEGINS, talking)


def _padded(spoken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell for each frame whether somebody speaks within the padding on either side of it."""
    if not len(spoken):
        return spoken
    return np.convolve(spoken, np.ones(2 * _PADDING + 1), "full")[_PADDING : _PADDING + len(spoken)] > 0.5
