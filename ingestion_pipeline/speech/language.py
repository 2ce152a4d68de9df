"""Which language is spoken: a vote over several places of an audio."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
from faster_whisper import WhisperModel

from .chunks import Chunk, chunks_of
from .decoder import mel_of
from .voice import speech_in
from .waveform import Undecodable, duration_of, windows_of

UNDETERMINED = "und"
"""ISO 639-2, for an audio in which nobody speaks."""
_ONE_PLACE_S, _MOST_PLACES = 60.0, 5
"""A place for every minute: an intro or a song must not decide."""
_WINDOW_S, _WINDOWS = 32.0, 2
"""How long speech is looked for after each place."""


def spoken_language(model: WhisperModel, path: Path) -> str | None:
    """Return the code of the language with the highest sum of probabilities; None where nobody speaks.

    Raises `Undecodable` or `OSError` for the file.
    """
    votes = Counter[str]()
    for chunk in _samples_of(path):
        encoded = model.encode(mel_of(model, chunk.samples))
        for token, probability in model.model.detect_language(encoded)[0]:
            votes[token.strip("<|>")] += probability
    return votes.most_common(1)[0][0] if votes else None


def _samples_of(path: Path) -> list[Chunk]:
    """Return the first speech after each place; where there is none, the first of all."""
    places = [chunk for place_s in _places(duration_of(path) or 0.0) for chunk in _first_after(path, place_s)]
    return places or list(islice(chunks_of(speech_in(windows_of(path, _WINDOW_S))), 1))


def _places(duration_s: float) -> list[float]:
    """Return where to listen (s): the middles of equal parts, or the start of a short audio."""
    count = min(int(duration_s / _ONE_PLACE_S), _MOST_PLACES)
    return [(number + 0.5) * duration_s / count for number in range(count)] or [0.0]


def _first_after(path: Path, place_s: float) -> Iterator[Chunk]:
    """Yield a chunk soon after a place; none where nobody speaks, or where the file cannot be entered."""
    try:
        yield from islice(chunks_of(speech_in(islice(windows_of(path, _WINDOW_S, place_s), _WINDOWS))), 1)
    except (Undecodable, av.FFmpegError):
        return
