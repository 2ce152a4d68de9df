"""Recognisers: the protocol, and the engine in this process."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from ingestion_pipeline.records import Audio, Segment, Transcript

from .models import fault_of, identity_of

if TYPE_CHECKING:
    from .resident import ResidentWhisper

BEAM = 5
_RULE = 5
"""Raised when the text or its segments change for the same audio, model, beam and language."""
_REPORT_EVERY_S = 10.0


@dataclass(frozen=True)
class WhisperConfig:
    """Which Whisper, where, with how many `parallel` decodes over one set of weights, for how many videos at once.

    Without a `batch` as many chunks are decoded at once as suit the device.
    """

    model: str
    device: str
    compute: str = "auto"
    parallel: int = 1
    videos: int = 1
    batch: int | None = None


@dataclass(frozen=True)
class Recognition:
    """A transcript, the time (s) that it took once it was begun, and further figures by name."""

    transcript: Transcript
    work_s: float
    usage: Mapping[str, float] = field(default_factory=dict)


class Recogniser(Protocol):
    """Turns audio into a transcript; the model server of many runs and a model in this process both can."""

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on, without loading a model."""
        ...

    def transcribe(self, video: str, audio: Audio, language: str | None, log: Callable[[str], None]) -> Recognition:
        """Return the transcript of `video`; `log` is told from time to time how far it is."""
        ...


def fingerprint_of(model: str, audio: Audio, language: str | None) -> str:
    """Return what a transcript depends on: audio, model, beam, language, our own rules."""
    parts = (audio.sha256, identity_of(model), language, BEAM, _RULE)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class InProcessWhisper:
    """The engine in this process; the model loads at the first transcription, and the process keeps it."""

    config: WhisperConfig

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on."""
        return fingerprint_of(self.config.model, audio, language)

    def transcribe(self, video: str, audio: Audio, language: str | None, log: Callable[[str], None]) -> Recognition:
        """Return the transcript; raise `ModelFault` or, where audio or language are at fault, `Permanent`."""
        whisper, report = _resident(self.config), _Report(log, audio.duration_s)
        transcript = whisper.transcribe(video, audio.path, language, said=report.said, began=report.began)
        transcript = replace(transcript, fingerprint=self.fingerprint(audio, language))
        return Recognition(transcript, report.work_s)


@lru_cache(maxsize=1)
def _resident(config: WhisperConfig) -> "ResidentWhisper":
    """Return the model; the videos of one process share it."""
    try:
        from .resident import ResidentWhisper
    except (OSError, ImportError) as error:
        raise fault_of(config.model, config.device, error) from error
    return ResidentWhisper(config)


def progress_line(position_s: float, duration_s: float, work_s: float) -> str:
    """Return how far a transcription is."""
    share = f" of {duration_s:.0f} s ({min(position_s / duration_s, 1):.0%})" if duration_s else " s"
    return f"transcribed {position_s:.0f}{share}, {position_s / max(work_s, 0.001):.1f}x real time"


class _Report:
    """Logs the position, from time to time; the time counts once the model is loaded and its turn has come."""

    def __init__(self, log: Callable[[str], None], duration_s: float) -> None:
        self._log, self._duration_s = log, duration_s
        self.began()

    def began(self) -> None:
        self._began = self._reported = time.monotonic()

    @property
    def work_s(self) -> float:
        return time.monotonic() - self._began

    def said(self, segment: Segment) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY_S:
            self._reported = now
            self._log(progress_line(segment.end, self._duration_s, self.work_s))
