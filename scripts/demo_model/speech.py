"""Speech by espeak-ng: many English voices, cut to the sound itself."""

import random
import re
import subprocess
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

SAMPLE_RATE = 16_000
"""Hz, what Whisper hears."""

VOICES = (
    "en-us", "en-us+f2", "en-us+m3", "en-us+m7", "en-gb", "en-gb-x-rp+f5", "en-gb-x-rp+m2",
    "en-gb-scotland", "en-gb-scotland+f4", "en-029", "en-gb-x-gbclan+m1", "en-gb-x-gbcwmd+f1",
)  # fmt: skip


_STRESS = str.maketrans("", "", "',%=|!:;")


@dataclass(frozen=True)
class Delivery:
    """How a sentence is spoken: voice by espeak-ng's name, speed in words a minute, pitch from 0 to 99."""

    voice: str
    speed: int
    pitch: int

    @classmethod
    def drawn(cls, rng: random.Random, voice: str | None = None) -> "Delivery":
        """Return a delivery drawn from the range that the model is trained on."""
        return cls(voice or rng.choice(VOICES), rng.randint(130, 190), rng.randint(30, 70))


def speak(text: str, delivery: Delivery) -> NDArray[np.float32]:
    """Return `text` as mono float32 samples at 16 kHz that begin and end with the sound.

    Raises `FileNotFoundError` without espeak-ng, `subprocess.CalledProcessError` where it refuses.
    """
    command = [
        "espeak-ng",
        "-v",
        delivery.voice,
        "-s",
        str(delivery.speed),
        "-p",
        str(delivery.pitch),
        "--stdout",
        text,
    ]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(BytesIO(wave), dtype="float32")
    return _trimmed(resample_poly(samples, SAMPLE_RATE, rate).astype(np.float32))


def _trimmed(samples: NDArray[np.float32], threshold: float = 0.01) -> NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(samples) > threshold * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def phonemes(text: str, voice: str) -> list[str]:
    """Return the phonemes that espeak-ng speaks for `text`, by its own mnemonics, stress left out."""
    command = ["espeak-ng", "-v", voice, "-q", "-x", "--sep=_", text]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [name for name in re.split(r"[\s_]+", written.translate(_STRESS)) if name]
