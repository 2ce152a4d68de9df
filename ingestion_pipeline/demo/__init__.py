"""What the demonstration and the tests run on: a tiny Whisper and a podcast in its vocabulary.

`demo-en` hears the words that it was trained on and nothing else; a real ingestion sets `WHISPER_MODEL`.
"""

from pathlib import Path

_HERE = Path(__file__).parent

MODEL = _HERE / "demo-en"
"""Folder that `faster_whisper.WhisperModel` loads; its `README.md` is the model's card."""

EPISODES = sorted((_HERE / "episodes").glob("*.opus"))
"""Opus files; the JSON file beside each holds title, length, and text and time (s) of every sentence."""
