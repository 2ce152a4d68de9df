"""What a model hears, held against what was said: word errors, times of segments, text where nothing is said."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import jiwer
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio
from faster_whisper.transcribe import Segment
from numpy.typing import NDArray

from .sentences import words_of
from .speech import SAMPLE_RATE

Samples = NDArray[np.float32]
COMPUTE = "int8" if re.search("vnni|asimddp", Path("/proc/cpuinfo").read_text()) else "float32"
"""int8, as it is shipped, where the processor adds up such products exactly; elsewhere they saturate."""
LONGEST_OUTPUT = 200
"""Tokens of one window; 30 s of the demo's speech take about 150, a loop goes on to 448."""


@dataclass(frozen=True)
class Sentence:
    """A spoken sentence; times in seconds from the start of its clip."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Clip:
    """Mono float32 samples at 16 kHz, and the sentences in them."""

    samples: Samples
    sentences: list[Sentence]

    @property
    def text(self) -> str:
        """Everything that is said, in one line."""
        return " ".join(sentence.text for sentence in self.sentences)


@dataclass(frozen=True)
class Mode:
    """One of the ways in which faster-whisper is used."""

    batched: bool
    times: bool

    def __str__(self) -> str:
        return f"{'batched' if self.batched else 'sequential'}, {'with' if self.times else 'without'} timestamps"

    def transcribe(self, model: WhisperModel, samples: Samples) -> list[Segment]:
        """Return the segments that faster-whisper finds with its own defaults, but for text of earlier windows.

        The project never gives it that: a loop would spread (and batches cannot).
        """
        if self.batched:
            segments, _ = BatchedInferencePipeline(model).transcribe(samples, without_timestamps=not self.times)
        else:
            segments, _ = model.transcribe(samples, without_timestamps=not self.times, condition_on_previous_text=False)
        return list(segments)


MODES = [Mode(batched, times) for batched in (False, True) for times in (True, False)]


def read_clip(audio: Path) -> Clip:
    """Return an Opus file and the sentences of the JSON file beside it."""
    spoken = json.loads(audio.with_suffix(".json").read_text())["spoken"]
    return Clip(decode_audio(str(audio)), [Sentence(row["text"], row["start"], row["end"]) for row in spoken])


def single_sentences(clip: Clip) -> list[Clip]:
    """Return each sentence of a clip alone, with 0.25 s around it."""
    edges = [(max(0.0, said.start - 0.25), said.end + 0.25) for said in clip.sentences]
    return [_cut(clip, [said], *edge) for said, edge in zip(clip.sentences, edges, strict=True)]


def windows(clip: Clip, seconds: float = 29.5) -> list[Clip]:
    """Return runs of whole sentences of at most `seconds`, cut 0.25 s before the first and after the last."""
    found: list[Clip] = []
    group: list[Sentence] = []
    for said in clip.sentences:
        if group and said.end + 0.5 - group[0].start > seconds:
            found.append(_cut(clip, group, group[0].start - 0.25, group[-1].end + 0.25))
            group = []
        group.append(said)
    return [*found, _cut(clip, group, group[0].start - 0.25, group[-1].end + 0.25)]


def word_error_rate(model: WhisperModel, clips: Iterable[Clip], mode: Mode) -> float:
    """Return the word errors in all clips for each word said; capitals and marks do not count."""
    pairs = [(_plain(clip.text), _plain(_text(mode.transcribe(model, clip.samples)))) for clip in clips]
    return float(jiwer.wer([said for said, _ in pairs], [heard for _, heard in pairs]))


def time_errors(model: WhisperModel, clips: Iterable[Clip]) -> list[float]:
    """Return for each sentence the larger error of its start and end (s), infinite where no segment is its own."""
    return [
        error for clip in clips for error in _clip_time_errors(clip, Mode(False, True).transcribe(model, clip.samples))
    ]


def unfinished(model: WhisperModel, clips: Iterable[Clip]) -> int:
    """Return how many clips greedy decoding without a fallback does not end by itself, or fills with a loop."""
    count = 0
    for clip in clips:
        segments, _ = model.transcribe(clip.samples, beam_size=1, temperature=0.0)
        found = list(segments)
        tokens = sum(len(segment.tokens) for segment in found)
        count += tokens > LONGEST_OUTPUT or any(segment.compression_ratio > 2.4 for segment in found)
    return count


def false_texts(model: WhisperModel, sounds: Iterable[Samples]) -> int:
    """Return in how many of the sounds some text is heard, in any mode; voice detection is left out."""
    pipeline = BatchedInferencePipeline(model)
    count = 0
    for samples in sounds:
        times, _ = model.transcribe(samples)
        plain, _ = model.transcribe(samples, without_timestamps=True)
        whole = [{"start": 0.0, "end": len(samples) / SAMPLE_RATE}]
        batched, _ = pipeline.transcribe(samples, vad_filter=False, clip_timestamps=whole)
        count += any(_text(segments).strip() for segments in (times, plain, batched))
    return count


def soundless() -> Iterator[Samples]:
    """Yield silence, noise and tones of 1 to 30 s, soft and loud."""
    rng = np.random.default_rng(7)
    for seconds in (1, 5, 12, 30):
        count = seconds * SAMPLE_RATE
        yield np.zeros(count, np.float32)
        for level in (0.0005, 0.01, 0.1):
            yield level * rng.standard_normal(count, np.float32)
        for hertz in (100, 440, 1000, 3000):
            yield (0.2 * np.sin(2 * np.pi * hertz / SAMPLE_RATE * np.arange(count))).astype(np.float32)


def _cut(clip: Clip, sentences: list[Sentence], start: float, end: float) -> Clip:
    start = max(0.0, start)
    moved = [Sentence(said.text, said.start - start, said.end - start) for said in sentences]
    return Clip(clip.samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)], moved)


def _clip_time_errors(clip: Clip, segments: list[Segment]) -> Iterator[float]:
    for said in clip.sentences:
        heard = max(segments, key=lambda segment: _likeness(said.text, segment.text), default=None)
        if heard is None or _likeness(said.text, heard.text) < 0.5:
            yield float("inf")
        else:
            yield max(abs(heard.start - said.start), abs(heard.end - said.end))


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, words_of(one), words_of(other)).ratio()


def _text(segments: Iterable[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def _plain(text: str) -> str:
    return " ".join(words_of(text))
