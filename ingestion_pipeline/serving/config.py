"""What a model server is started with; a server with another configuration, or of other code, has another name."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Self

from ingestion_pipeline.speech.models import state_of
from ingestion_pipeline.speech.recogniser import WhisperConfig

_CODE = (".", "speech", "embedding", "serving")


@dataclass(frozen=True)
class ServerConfig:
    """Which Whisper is served, and how long (s) the server stays when nobody asks; None: until it is ended."""

    whisper: WhisperConfig
    idle_s: float | None = 600.0

    @property
    def name(self) -> str:
        """Return twelve characters that stand for all of it, weights in a folder, and the code that serves."""
        served = f"{self.to_json()} {state_of(self.whisper.model)} {_code()}"
        return hashlib.sha256(served.encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Return a text that `from_json` reads."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the configuration that a text describes."""
        fields = json.loads(text)
        return cls(WhisperConfig(**fields.pop("whisper")), **fields)


@lru_cache(maxsize=1)
def this_version() -> str:
    """Return the version of the package."""
    return version("ingestion-pipeline")


@lru_cache(maxsize=1)
def _code() -> str:
    """Return a hash of the code that a server runs: after an update, or an edit, an old one must not serve."""
    package = Path(__file__).parents[1]
    files = sorted(file for part in _CODE for file in (package / part).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
