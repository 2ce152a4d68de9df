"""Speak the demonstration episodes and the held-out sentences that demo-en is measured with.

    python scripts/make_demo_audio.py

Both are kept in the repository: run this only after a change of `episodes.yaml` or of the held-out sentences.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from numpy.typing import NDArray

from demo_model.corpus import EPISODES, heldout_texts
from demo_model.speech import SAMPLE_RATE, VOICES, Delivery, speak

ROOT = Path(__file__).resolve().parents[1]
EPISODES_OUT = ROOT / "ingestion_pipeline/demo/episodes"
HELDOUT_OUT = ROOT / "ingestion_pipeline_tests/data/heldout"
ROOM_NOISE = 0.0005
"""Standard deviation of the background, -66 dB: a recording is never wholly silent."""
BIT_RATE = 20_000
"""Bits a second of Opus; the 200 held-out sentences have to stay under 2 MB."""


@dataclass
class Track:
    """Sentences put one after the other, with the time of each in seconds."""

    pieces: list[NDArray[np.float32]]
    spoken: list[dict[str, Any]]
    seconds: float = 0.0

    def pause(self, seconds: float) -> None:
        """Append silence."""
        self._append(np.zeros(int(seconds * SAMPLE_RATE), np.float32))

    def say(self, text: str, delivery: Delivery) -> None:
        """Append a spoken sentence."""
        start = self.seconds
        self._append(speak(text, delivery) * np.float32(0.6))
        self.spoken.append(
            {"start": round(start, 3), "end": round(self.seconds, 3), "voice": delivery.voice, "text": text}
        )

    def _append(self, piece: NDArray[np.float32]) -> None:
        self.pieces.append(piece)
        self.seconds += len(piece) / SAMPLE_RATE


def main() -> None:
    for episode in yaml.safe_load(EPISODES.read_text()):
        write_track(episode_track(episode), EPISODES_OUT / f"{episode['slug']}.opus", title=episode["title"])
    write_track(heldout_track(), HELDOUT_OUT / "heldout.opus", title="Held-out sentences")


def write_track(track: Track, audio: Path, title: str) -> None:
    """Write a track as Opus, and beside it as JSON what is said when."""
    audio.parent.mkdir(parents=True, exist_ok=True)
    samples = np.concatenate(track.pieces)
    samples += np.random.default_rng(0).standard_normal(len(samples), np.float32) * np.float32(ROOM_NOISE)
    _write_opus(audio, samples)
    rows = ",\n    ".join(json.dumps(row) for row in track.spoken)
    head = f'"title": {json.dumps(title)},\n  "duration_s": {track.seconds:.3f}'
    audio.with_suffix(".json").write_text(f'{{\n  {head},\n  "spoken": [\n    {rows}\n  ]\n}}\n')
    print(f"{audio.relative_to(ROOT)}: {track.seconds:.0f} s, {audio.stat().st_size / 1e3:.0f} kB")


def episode_track(episode: dict[str, Any]) -> Track:
    """Return an episode in its one voice, with half a second to one and a half between sentences."""
    rng, track = random.Random(episode["slug"]), Track([], [])
    track.pause(0.4)
    for line in episode["text"]:
        if isinstance(line, dict):
            track.pause(line["pause"])
            continue
        track.say(line, Delivery(episode["voice"], speed=rng.randint(145, 165), pitch=50))
        track.pause(rng.uniform(0.5, 1.5))
    return track


def heldout_track() -> Track:
    """Return every held-out sentence once, all voices in turn, at least half a second apart."""
    rng, track = random.Random("heldout"), Track([], [])
    track.pause(0.5)
    for number, text in enumerate(heldout_texts()):
        track.say(text, Delivery.drawn(rng, VOICES[number % len(VOICES)]))
        track.pause(rng.uniform(0.5, 1.5))
    return track


def _write_opus(file: Path, samples: NDArray[np.float32]) -> None:
    with av.open(str(file), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(
            np.clip(samples * 32767, -32768, 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])


if __name__ == "__main__":
    main()
