"""Recognisers: the protocol, and the engine in this process."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.records import Audio, Transcript

from .models import identity_of, knows_only_english, loading_fault

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

BEAM = 5
_RULE = 2
"""Raised when the text or its segments change for the same audio, model, beam and language."""


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
    """The engine in this process; the model loads at the first transcription.

    `parallel` decodes share one set of weights and the cores.
    """

    model: str
    device: str
    compute: str = "auto"
    parallel: int = 1

    def fingerprint(self, audio: Audio, language: str | None) -> str:
        """Return what a transcript depends on: audio, model, beam, language, our own rules."""
        parts = (audio.sha256, identity_of(self.model), language, BEAM, _RULE)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def transcribe(
        self, video: str, audio: Audio, language: str | None, progress: Callable[[float], None]
    ) -> Transcript:
        """Return the transcript; raise `ModelFault` or, where audio or language are at fault, `Permanent`."""
        from .decoding import Decoding
        from .engine import Engine
        from .language import UNDETERMINED
        from .waveform import Undecodable

        self._check(video, language)
        model = _loaded(self)
        try:
            spoken = language or _heard_language(model, audio)
            self._check(video, spoken, model)
            with Engine(model, workers=self.parallel, videos=1) as engine:
                found = engine.transcribe(audio.path, Decoding(spoken or "en", BEAM), lambda said: progress(said.end))
        except (OSError, Undecodable) as error:
            raise Permanent(
                f"The audio of video {video} cannot be decoded: {error}.", f"Look at the file {audio.path}."
            ) from error
        except RuntimeError as error:
            raise loading_fault(self.model, self.device, error) from error
        return Transcript(
            language=spoken or UNDETERMINED,
            duration_s=found.duration_s,
            speech_s=found.speech_s,
            segments=found.segments,
            model=self.model,
            fingerprint=self.fingerprint(audio, language),
            decoded_again=found.decoded_again,
            left_out_s=found.left_out_s,
        )

    def _check(self, video: str, language: str | None, model: "WhisperModel | None" = None) -> None:
        """Raise `Permanent` where the model does not know the language; a loaded one is asked for its token."""
        if language in {None, "en"}:
            return
        remedy = "Set WHISPER_MODEL=large-v3-turbo, or another multilingual model."
        if knows_only_english(self.model) or (model and not model.model.is_multilingual):
            raise Permanent(f"Video {video} is in {language!r}, and the model {self.model} knows only English.", remedy)
        if model and model.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
            raise Permanent(f"Video {video} is in {language!r}, which the model {self.model} does not know.", remedy)


@lru_cache(maxsize=1)
def _loaded(whisper: InProcessWhisper) -> "WhisperModel":
    """Return the model; the videos of one process share it."""
    try:
        from .loading import load_model
    except (OSError, ImportError) as error:
        raise loading_fault(whisper.model, whisper.device, error) from error
    return load_model(whisper.model, whisper.device, whisper.compute, whisper.parallel)


def _heard_language(model: "WhisperModel", audio: Audio) -> str | None:
    """Return what a vote says; a model without language tokens was trained on English."""
    from .language import spoken_language

    return spoken_language(model, audio.path) if model.model.is_multilingual else "en"
