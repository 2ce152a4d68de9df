"""How speech is decoded: what a caller may ask for, and what that means to faster-whisper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import TranscriptionOptions

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Whisper's own: the first for all, the others for a chunk that failed (openai/whisper, transcribe.py)."""
REPETITIVE, UNSURE, SILENT = 2.4, -1.0, 0.6
"""Compression ratio, average log probability and no-speech probability at which Whisper doubts (the same source)."""
TOO_REPETITIVE, TOO_UNSURE = 3.0, -1.5
"""Where a chunk that was decoded again is still kept out of the text."""


@dataclass(frozen=True)
class Decoding:
    """What a chunk is decoded with; chunks with equal ones may share a batch.

    `language` is Whisper's code. `words` asks for the times of words. Without `gated` everything that the model writes
    is kept; `max_tokens` is CTranslate2's bound for each chunk, `suppressed` are further token ids never written.
    """

    language: str
    beam: int = 5
    words: bool = False
    timestamps: bool = True
    gated: bool = True
    max_tokens: int | None = None
    suppressed: tuple[int, ...] = ()


def options_of(decoding: Decoding, tokenizer: "Tokenizer", temperatures: tuple[float, ...]) -> "TranscriptionOptions":
    """Return faster-whisper's options: its defaults, but no conditioning on what was said before."""
    from faster_whisper.transcribe import TranscriptionOptions, get_suppressed_tokens

    return TranscriptionOptions(
        beam_size=decoding.beam,
        best_of=5,
        patience=1.0,
        length_penalty=1.0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        log_prob_threshold=UNSURE,
        no_speech_threshold=SILENT,
        compression_ratio_threshold=REPETITIVE,
        condition_on_previous_text=False,
        prompt_reset_on_temperature=0.5,
        temperatures=list(temperatures),
        initial_prompt=None,
        prefix=None,
        suppress_blank=True,
        suppress_tokens=get_suppressed_tokens(tokenizer, [-1, *decoding.suppressed]),
        without_timestamps=not decoding.timestamps,
        max_initial_timestamp=1.0,
        word_timestamps=decoding.words,
        prepend_punctuations="\"'“¿([{-",
        append_punctuations="\"'.。,，!！?？:：”)]}、",
        multilingual=False,
        max_new_tokens=decoding.max_tokens,
        clip_timestamps="0",
        hallucination_silence_threshold=None,
        hotwords=None,
    )
