"""What is the same for every way of transcribing: model, machine, beam, and how a window is decoded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestion_pipeline.demo import MODEL as DEMO_MODEL

from . import shapes, tokens

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

MODELS = ("demo-en", *shapes.SHAPES)
TOKENS = 100
"""Tokens that a model with random weights writes for each window; 30 s of real speech take about as many."""
_PROMPT = 4
"""<|startoftranscript|><|en|><|transcribe|><|notimestamps|>"""
BOUND = 2 * TOKENS - _PROMPT
"""CTranslate2 writes at most half as many tokens as its max_length, which counts the prompt too."""


@dataclass(frozen=True)
class Setup:
    """One model on one device; `workers` decode at a time where there are several.

    `batch` windows go through the engine at once, `pipeline_batch` through faster-whisper's batched pipeline.
    """

    model: str
    device: str
    compute: str
    cores: int
    workers: int
    batch: int
    pipeline_batch: int
    beam: int

    @property
    def real(self) -> bool:
        """Whether the model knows a language; if not, every window gets `TOKENS` tokens."""
        return self.model == "demo-en"

    def folder(self) -> str:
        """Return where the model is; make it if need be."""
        if self.real:
            return str(DEMO_MODEL)
        return str(shapes.random_model(self.model, "float16" if "float16" in self.compute else "int8"))

    def load(self, threads: int, workers: int = 1) -> "WhisperModel":
        """Return the model; each of `workers` concurrent calls runs on `threads` CPU threads."""
        from faster_whisper import WhisperModel

        from ingestion_pipeline.speech.models import load_cublas

        if self.device == "cuda":
            load_cublas()
        return WhisperModel(
            self.folder(),
            device=self.device,
            compute_type=self.compute,
            cpu_threads=max(1, threads),
            num_workers=workers,
        )

    def options(self) -> dict[str, Any]:
        """Return what faster-whisper is called with, anew for each call: it changes the list of tokens."""
        options = {
            "language": "en",
            "beam_size": self.beam,
            "vad_filter": True,
            "condition_on_previous_text": False,
            "without_timestamps": not self.real,
        }
        return options if self.real else options | _fixed_length()


def _fixed_length() -> dict[str, Any]:
    return {
        "temperature": 0.0,
        "compression_ratio_threshold": None,
        "log_prob_threshold": None,
        "no_speech_threshold": None,
        "max_new_tokens": BOUND,
        "suppress_tokens": [tokens.END],
    }
