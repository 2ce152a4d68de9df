"""A chunk's mel features to its words, with the safeguards that faster-whisper's batched mode leaves out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, merge_punctuations
from numpy.typing import NDArray

from ingestion_pipeline.records import Word

from .decoding import REPETITIVE, SILENT, TEMPERATURES, TOO_REPETITIVE, TOO_UNSURE, UNSURE, Decoding, options_of
from .waveform import Samples

Mel = NDArray[np.float32]
_WORD = re.compile(r"\s*[^\s。！？，、；]*[。！？，、；]+|\s*[^\s。！？，、；]+")
"""A word with the space before it; of a script without spaces, what lies between two marks."""


@dataclass(frozen=True)
class Heard:
    """What was recognised in one chunk; `words` with times (s) in the chunk and the spaces before them."""

    words: Sequence[Word]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    temperature: float = 0.0
    decoded_again: bool = False
    left_out: bool = False


def mel_of(model: WhisperModel, samples: Samples) -> Mel:
    """Return the log-mel spectrogram (mels, 3000) of up to 30 s, as faster-whisper's batched mode computes it."""
    return np.ascontiguousarray(pad_or_trim(model.feature_extractor(samples)[..., :-1]), np.float32)


class _ChunkByChunk:
    """A model that encodes the chunks of a batch one by one: on a CPU as fast, and attention takes less memory."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model

    def encode(self, features: NDArray[np.float32]) -> StorageView:
        return StorageView.from_array(np.concatenate([np.asarray(self._model.encode(mel)) for mel in features]))

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)


class Decoder:
    """One model's decoder for one `Decoding`; may be called from several threads."""

    def __init__(self, model: WhisperModel, decoding: Decoding) -> None:
        self._model, self._decoding = model, decoding
        self._batched = model if model.model.device == "cuda" else _ChunkByChunk(model)
        self._tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, "transcribe", decoding.language)
        self._options = options_of(decoding, self._tokenizer, TEMPERATURES[:1])

    def __call__(self, mels: Sequence[Mel], durations_s: Sequence[float]) -> list[Heard]:
        """Return what is heard in each chunk of a batch; what fails is decoded again alone."""
        pipeline = BatchedInferencePipeline(self._batched)
        encoded, outputs = pipeline.generate_segment_batched(np.stack(mels), self._tokenizer, self._options)
        aligned = self._aligned(encoded, [output["tokens"] for output in outputs], durations_s)
        heard = [
            self._heard(output["tokens"], words, duration, output["avg_logprob"], output["no_speech_prob"])
            for output, words, duration in zip(outputs, aligned, durations_s, strict=True)
        ]
        return [self._guarded(*chunk) for chunk in zip(heard, mels, durations_s, strict=True)]

    def _guarded(self, heard: Heard, mel: Mel, duration_s: float) -> Heard:
        if not self._decoding.gated:
            return heard
        if not _is_silence(heard) and _is_doubtful(heard, REPETITIVE, UNSURE):
            heard = replace(_better(heard, self._decoded_again(mel, duration_s)), decoded_again=True)
        if _is_silence(heard):
            return replace(heard, words=())
        if _is_bad(heard):
            return replace(heard, words=(), left_out=True)
        return heard

    def _decoded_again(self, mel: Mel, duration_s: float) -> Heard:
        """Return the first result at a higher temperature that raises no doubt, or the best of them."""
        options = options_of(self._decoding, self._tokenizer, TEMPERATURES[1:])
        encoded = self._model.encode(mel)
        prompt = self._model.get_prompt(self._tokenizer, [], without_timestamps=options.without_timestamps)
        result, avg_logprob, temperature, _ = self._model.generate_with_fallback(
            encoded, prompt, self._tokenizer, options
        )
        tokens = result.sequences_ids[0]
        [words] = self._aligned(encoded, [tokens], [duration_s])
        return replace(
            self._heard(tokens, words, duration_s, avg_logprob, result.no_speech_prob), temperature=temperature
        )

    def _heard(
        self, tokens: Sequence[int], words: Sequence[Word], duration_s: float, avg_logprob: float, no_speech: float
    ) -> Heard:
        ratio = get_compression_ratio(self._tokenizer.decode(list(tokens)).strip())
        return Heard(words or list(self._spread(tokens, duration_s)), avg_logprob, ratio, no_speech)

    def _aligned(
        self, encoded: StorageView, written: list[Sequence[int]], durations_s: Sequence[float]
    ) -> list[list[Word]]:
        """Return the words of each chunk by its cross-attention; none where they were not asked for."""
        if not self._decoding.words:
            return [[] for _ in written]
        texts = [[token for token in tokens if token < self._tokenizer.eot] for tokens in written]
        frames = [round(duration * self._model.frames_per_second) for duration in durations_s]
        alignments = self._model.find_alignment(self._tokenizer, texts, encoded, frames)
        for alignment in alignments:
            merge_punctuations(alignment, self._options.prepend_punctuations, self._options.append_punctuations)
        return [list(_words(alignment)) for alignment in alignments]

    def _spread(self, tokens: Sequence[int], duration_s: float) -> Iterator[Word]:
        """Yield the words between two time tokens, each with a share of the time that its letters have of the text."""
        for start, end, said in self._between_times(tokens, duration_s):
            text = self._tokenizer.decode(said)
            per_letter = (end - start) / max(len(text), 1)
            for word in _WORD.finditer(text):
                yield Word(start + word.start() * per_letter, start + word.end() * per_letter, word.group())

    def _between_times(self, tokens: Sequence[int], duration_s: float) -> Iterator[tuple[float, float, list[int]]]:
        """Yield start, end (s) and tokens of each text; one that no time token ends lasts to the end of the chunk.

        faster-whisper's own splitting drops that one, which its sequential mode hears again in the next window.
        """
        start, said = 0.0, list[int]()
        for token in tokens:
            if token < self._tokenizer.timestamp_begin:
                said.append(token)
                continue
            at = min((token - self._tokenizer.timestamp_begin) * self._model.time_precision, duration_s)
            if said:
                yield start, max(start, at), said
            start, said = at, []
        if said:
            yield min(start, duration_s), duration_s, said


def _words(alignment: Iterable[dict[str, Any]]) -> Iterator[Word]:
    for found in alignment:
        if found["word"].strip():
            yield Word(float(found["start"]), float(found["end"]), found["word"], float(found["probability"]))


def _better(first: Heard, again: Heard) -> Heard:
    """Return what is decoded again where it raises no doubt; else, as faster-whisper does, the likelier of both.

    A loop is the less likely, whatever its probability.
    """
    if _is_silence(again) or not _is_doubtful(again, REPETITIVE, UNSURE):
        return again
    return max(first, again, key=lambda heard: (heard.compression_ratio <= REPETITIVE, heard.avg_logprob))


def _is_silence(heard: Heard) -> bool:
    return heard.no_speech_prob > SILENT and heard.avg_logprob < UNSURE


def _is_bad(heard: Heard) -> bool:
    """Tell whether what was heard is kept out of the text."""
    return _is_doubtful(heard, TOO_REPETITIVE, TOO_UNSURE)


def _is_doubtful(heard: Heard, compression_ratio: float, avg_logprob: float) -> bool:
    return heard.compression_ratio > compression_ratio or heard.avg_logprob < avg_logprob
