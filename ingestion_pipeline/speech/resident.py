"""A Whisper model with its engine, loaded when first used and then kept: for a model server, or for one process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock

from faster_whisper import WhisperModel

from ingestion_pipeline.errors import Permanent, Transient
from ingestion_pipeline.records import Segment, Transcript

from .decoding import Decoding
from .engine import Engine
from .language import UNDETERMINED, spoken_language
from .loading import load_model
from .models import fault_of, knows_only_english
from .recogniser import BEAM, WhisperConfig
from .scheduler import Job
from .waveform import Undecodable


class ResidentWhisper:
    """Transcribes for several threads at once; `decoding` is what all are decoded with, but language and words."""

    def __init__(self, config: WhisperConfig, decoding: Decoding | None = None) -> None:
        self.config = config
        self.engine: Engine | None = None
        self._decoding = decoding or Decoding("en", BEAM)
        self._model: WhisperModel | None = None
        self._loading = Lock()

    def transcribe(
        self,
        video: str,
        path: Path,
        language: str | None,
        *,
        said: Callable[[Segment], None],
        began: Callable[[], None] = lambda: None,
        job: Job | None = None,
        words: bool = False,
    ) -> Transcript:
        """Return the transcript of `video`; `began` is called when its turn has come, `said` for each segment.

        Raises `ModelFault`, among them `GpuFault`, `Permanent` where audio or language are at fault, `Transient` where
        the file cannot be read, and `Cancelled`.
        """
        self._check(video, language)
        model, engine = self._loaded()
        try:
            with engine.admitted(job) as admitted:
                began()
                spoken = language or _heard_language(model, path)
                self._check(video, spoken, model)
                decoding = replace(self._decoding, language=spoken or "en", words=words)
                found = engine.listen(admitted, path, decoding, said)
        except OSError as error:
            raise Transient(f"The audio of video {video} cannot be read: {error}.", "Look at its disk.") from error
        except Undecodable as error:
            raise Permanent(
                f"The audio of video {video} cannot be decoded: {error}.", f"Look at the file {path}."
            ) from error
        except (RuntimeError, MemoryError) as error:
            raise fault_of(self.config.model, self.config.device, error) from error
        return Transcript(
            language=spoken or UNDETERMINED,
            duration_s=found.duration_s,
            speech_s=found.speech_s,
            segments=found.segments,
            model=self.config.model,
            decoded_again=found.decoded_again,
            left_out_s=found.left_out_s,
        )

    @property
    def compute_type(self) -> str:
        """Return what CTranslate2 computes in, such as int8_float32 for int8."""
        return str(self._loaded()[0].model.compute_type)

    def cancel(self, job: Job) -> None:
        """Have the thread that transcribes a job raise `Cancelled`."""
        job.cancelled = True
        if self.engine:
            self.engine.cancel(job)

    def close(self) -> None:
        """End the engine's threads."""
        if self.engine:
            self.engine.__exit__(None, None, None)

    def _loaded(self) -> tuple[WhisperModel, Engine]:
        with self._loading:
            if self._model is None or self.engine is None:
                config = self.config
                self._model = load_model(config.model, config.device, config.compute, config.parallel)
                engine = Engine(self._model, workers=config.parallel, videos=config.videos, batch=config.batch)
                self.engine = engine.__enter__()
            return self._model, self.engine

    def _check(self, video: str, language: str | None, model: WhisperModel | None = None) -> None:
        """Raise `Permanent` where the model does not know the language; a loaded one is asked for its token."""
        if language in {None, "en"}:
            return
        name, remedy = self.config.model, "Set WHISPER_MODEL=large-v3-turbo, or another multilingual model."
        if knows_only_english(name) or (model and not model.model.is_multilingual):
            raise Permanent(f"Video {video} is in {language!r}, and the model {name} knows only English.", remedy)
        if model and model.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
            raise Permanent(f"Video {video} is in {language!r}, which the model {name} does not know.", remedy)


def _heard_language(model: WhisperModel, path: Path) -> str | None:
    """Return what a vote says; a model without language tokens was trained on English."""
    return spoken_language(model, path) if model.model.is_multilingual else "en"
