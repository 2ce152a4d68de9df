"""Recognisers: the protocol, and faster-whisper loaded in this process."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.records import Audio, Segment, Transcript

from .models import identity_of, knows_only_english, loading_fault, model_path

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

PARAMETERS = {"beam_size": 5, "vad_filter": True, "condition_on_previous_text": False}
"""Without conditioning on previous text a loop does not spread."""
_RULE = 1
"""Raised when the text changes for the same model and parameters."""


class Recogniser(Protocol):
    """Turns audio into a transcript; the model server of many runs and a model in this process both can."""

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on, without loading a model."""
        ...

    def transcribe(
        self, video: str, audio: Audio, language: str | None, progress: Callable[[float], None]
    ) -> Transcript:
        """Return the transcript of `video`; `progress` is told the position (s) that is reached."""
        ...


@dataclass(frozen=True)
class InProcessWhisper:
    """faster-whisper in this process; the model loads at the first transcription.

    `parallel` decodes share one set of weights, each with `threads` CPU threads.
    """

    model: str
    device: str
    compute: str = "auto"
    parallel: int = 1
    threads: int = 1

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on: audio, model, parameters, language."""
        parts = (audio.sha256, identity_of(self.model), language, sorted(PARAMETERS.items()), _RULE)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def transcribe(
        self, video: str, audio: Audio, language: str | None, progress: Callable[[float], None]
    ) -> Transcript:
        """Return the transcript; raise `ModelFault` or, where the audio is at fault, `Permanent`."""
        self._check_language(video, language)
        try:
            heard, info = _loaded(self).transcribe(str(audio.path), language=language, **PARAMETERS)
            segments = list(_followed(heard, progress))
        except (OSError, ValueError, IndexError) as error:
            raise Permanent(
                f"The audio of video {video} cannot be decoded: {error}.", f"Look at the file {audio.path}."
            ) from error
        except RuntimeError as error:
            raise loading_fault(self.model, self.device, error) from error
        return Transcript(
            info.language,
            info.duration,
            info.duration_after_vad,
            segments,
            self.model,
            self.fingerprint(audio, language),
        )

    def _check_language(self, video: str, language: str | None) -> None:
        if language not in {None, "en"} and knows_only_english(self.model):
            raise Permanent(
                f"Video {video} is in {language!r}, and the model {self.model} knows only English.",
                "Set WHISPER_MODEL=large-v3-turbo, or another multilingual model.",
            )


@lru_cache(maxsize=1)
def _loaded(whisper: InProcessWhisper) -> "WhisperModel":
    """Return the model; the videos of one process share it."""
    try:
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(model_path(whisper.model)),
            device=whisper.device,
            compute_type=whisper.compute,
            cpu_threads=whisper.threads,
            num_workers=whisper.parallel,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise loading_fault(whisper.model, whisper.device, error) from error


def _followed(heard: Iterable[Any], progress: Callable[[float], None]) -> Iterator[Segment]:
    for segment in heard:
        progress(segment.end)
        yield Segment(
            segment.start,
            segment.end,
            segment.text.strip(),
            segment.avg_logprob,
            segment.compression_ratio,
            segment.no_speech_prob,
            segment.temperature,
        )
