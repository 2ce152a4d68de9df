"""Data quality: what a video's audio, transcript and embeddings should be like, and what is wrong where they are not.

A finding that blocks keeps the video from being embedded; the others only warn. Short videos prove little: where there
is less than a stretch of words or of speech, nothing is found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from .errors import LowQuality
from .records import Audio, Segment, Transcript, Video

_STRETCH = 50
"""Words that are looked at together for repetition: about 20 s of speech."""
_DISTINCT = 0.4
"""Share of distinct words under which a stretch repeats itself; the demonstration's episodes have 0.7 and more."""
_FEW_WORDS, _LITTLE_SPEECH_S, _MUCH_SPEECH_S = 20, 10.0, 30.0
_NO_TEXT, _MOSTLY_REPEATED = 0.1, 0.5
"""Shares at which a transcript is not fit for a search any more."""
_NORM = 0.01
"""How far the length of a vector may be from 1: it is stored in half precision."""


@dataclass(frozen=True)
class Limits:
    """Where a warning begins: shares of 0 to 1, and words a second."""

    speech_covered: float = 0.5
    repetition: float = 0.1
    words_per_second: float = 5.0
    left_out: float = 0.1
    length: float = 0.1


DEFAULTS = Limits()


@dataclass(frozen=True)
class Finding:
    """What one check found: its figures, and what is wrong, in a sentence; empty where nothing is."""

    check: str
    values: Mapping[str, float | int | str] = field(default_factory=dict)
    fault: str = ""
    blocks: bool = False


@dataclass(frozen=True)
class Vectors:
    """Figures of a video's embeddings: how many, how long (dimensions and norm), and which hold no numbers."""

    count: int
    dimensions: int
    smallest_norm: float
    largest_norm: float
    not_numbers: int = 0


def of_audio(video: Video, audio: Audio, limits: Limits) -> list[Finding]:
    """Compare the length of an audio with what the site said; where it said nothing, nothing is wrong."""
    if not video.duration_s:
        return [Finding("length", {"seconds": round(audio.duration_s, 2)})]
    difference = abs(audio.duration_s - video.duration_s)
    wrong = difference > limits.length * video.duration_s and difference > _LITTLE_SPEECH_S
    fault = f"The audio lasts {audio.duration_s:.0f} s, the site said {video.duration_s:.0f} s."
    values = {"seconds": round(audio.duration_s, 2), "site_seconds": round(video.duration_s, 2)}
    return [Finding("length", values, fault if wrong else "")]


def of_transcript(transcript: Transcript, language: str | None, limits: Limits) -> list[Finding]:
    """Return what is found in a transcript whose source or audio track names a `language`, or none."""
    return [
        _speech_covered(transcript, limits),
        _repetition(transcript, limits),
        _words_per_second(transcript, limits),
        _language(transcript, language),
        _timestamps(transcript.segments),
        _left_out(transcript, limits),
    ]


def of_vectors(vectors: Vectors, passages: int, dimensions: int) -> list[Finding]:
    """Return what is found in the embeddings of so many passages, by a model of so many dimensions."""
    count, found = vectors.count, vectors.dimensions
    norm = {"smallest": round(vectors.smallest_norm, 4), "largest": round(vectors.largest_norm, 4)}
    off = bool(count) and max(abs(vectors.smallest_norm - 1), abs(vectors.largest_norm - 1)) > _NORM
    return [
        _error("count", {"vectors": count, "passages": passages}, count != passages, f"{count} for {passages}."),
        _error("dimensions", {"dimensions": found}, bool(count) and found != dimensions, f"{found}, not {dimensions}."),
        _error("norm", norm, off, "Vectors are not of length 1."),
        _error("numbers", {"without": vectors.not_numbers}, vectors.not_numbers > 0, "Vectors hold NaN or infinity."),
    ]


def figures_of(vectors: NDArray[float32]) -> Vectors:
    """Return the figures of vectors (passages, dimensions)."""
    finite = np.isfinite(vectors).all(axis=1)
    norms = np.linalg.norm(vectors[finite], axis=1)
    extremes = (float(norms.min()), float(norms.max())) if len(norms) else (1.0, 1.0)
    return Vectors(len(vectors), vectors.shape[1], *extremes, int((~finite).sum()))


def require(what: str, findings: Sequence[Finding], remedy: str) -> None:
    """Raise `LowQuality` where a finding blocks; `what` is not as it should be."""
    faults = [f"{finding.check}: {finding.fault}" for finding in findings if finding.blocks]
    if faults:
        raise LowQuality(f"{what} is not fit for a search. {' '.join(faults)}", remedy)


def expected_language(video: Video, audio: Audio | None) -> str | None:
    """Return the language that the source or the audio track names, None where neither does."""
    return video.language or (audio.language if audio else None)


def _speech_covered(transcript: Transcript, limits: Limits) -> Finding:
    covered_s, speech_s = _covered_s(transcript), transcript.speech_s
    share = min(1.0, covered_s / speech_s) if speech_s else 1.0
    values = {"share": round(share, 3), "covered_seconds": round(covered_s, 2), "speech_seconds": round(speech_s, 2)}
    fault = f"Of {speech_s:.0f} s of speech {covered_s:.0f} s have a text."
    blocks = share < min(limits.speech_covered, _NO_TEXT) and speech_s >= _MUCH_SPEECH_S
    warns = share < limits.speech_covered and speech_s >= _LITTLE_SPEECH_S
    return Finding("speech_covered", values, fault if blocks or warns else "", blocks)


def _repetition(transcript: Transcript, limits: Limits) -> Finding:
    words = transcript.text.casefold().split()
    repeated = sum(len(stretch) for stretch in _stretches(words) if len(set(stretch)) < _DISTINCT * len(stretch))
    share = repeated / max(len(words), 1)
    fault = f"{share:.0%} of the words stand where the text repeats itself." if share > limits.repetition else ""
    return Finding("repetition", {"share": round(share, 3)}, fault, share > max(limits.repetition, _MOSTLY_REPEATED))


def _words_per_second(transcript: Transcript, limits: Limits) -> Finding:
    words, covered_s = len(transcript.text.split()), _covered_s(transcript)
    pace = words / covered_s if covered_s else 0.0
    wrong = words >= _FEW_WORDS and pace > limits.words_per_second
    fault = f"{pace:.1f} words a second: nobody speaks so fast." if wrong else ""
    return Finding("words_per_second", {"words_per_second": round(pace, 2), "words": words}, fault)


def _language(transcript: Transcript, language: str | None) -> Finding:
    values = {"transcript": transcript.language, "expected": language or "not said"}
    wrong = language is not None and transcript.language != language
    return _error("language", values, wrong, f"The text is in {transcript.language!r}, spoken is {language!r}.")


def _timestamps(segments: Sequence[Segment]) -> Finding:
    backwards = sum(segment.end < segment.start for segment in segments)
    backwards += sum(after.start < before.start for before, after in pairwise(segments))
    return _error("timestamps", {"backwards": backwards}, backwards > 0, f"{backwards} times go back.")


def _left_out(transcript: Transcript, limits: Limits) -> Finding:
    share = transcript.left_out_s / transcript.speech_s if transcript.speech_s else 0.0
    fault = f"{transcript.left_out_s:.0f} s of speech could not be recognised." if share > limits.left_out else ""
    return Finding("left_out", {"share": round(share, 3), "seconds": round(transcript.left_out_s, 2)}, fault)


def _error(check: str, values: Mapping[str, float | int | str], wrong: bool, fault: str) -> Finding:
    return Finding(check, values, fault if wrong else "", blocks=wrong)


def _covered_s(transcript: Transcript) -> float:
    return sum(max(0.0, segment.end - segment.start) for segment in transcript.segments if segment.text)


def _stretches(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the words in stretches; a last one that is too short to tell is left out."""
    for start in range(0, len(words), _STRETCH):
        if len(stretch := words[start : start + _STRETCH]) >= _FEW_WORDS:
            yield stretch
