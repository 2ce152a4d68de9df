"""The recordings of the soak, 10 to 30 s long, and what the engine hears in them when nothing disturbs it."""

import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.asr.speech import recording, write_opus
from ingestion_pipeline.audio.files import describe
from ingestion_pipeline.audio.probe import probe
from ingestion_pipeline.speech.recogniser import InProcessWhisper, WhisperConfig


@dataclass(frozen=True)
class Recording:
    """An Opus file and its transcript."""

    body: bytes
    text: str


def recordings(folder: Path, count: int, seed: int, whisper: WhisperConfig) -> list[Recording]:
    """Make recordings in a folder and transcribe each by itself."""
    rng, engine, made = random.Random(seed), InProcessWhisper(whisper), []
    for number in range(count):
        file = folder / f"recording-{number:03}.opus"
        write_opus(file, [recording(f"soak {seed} {number}", rng.uniform(10, 30))[0]])
        heard = engine.transcribe(file.stem, describe(file, probe(file)), "en", lambda _: None)
        made.append(Recording(file.read_bytes(), heard.transcript.text))
    return made
