"""demo-en in faster-whisper itself, on speech that it was never trained on.

Of the held-out sentences 48 are taken alone, and all in windows; `make check-model` takes all of them both ways.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from faster_whisper import WhisperModel

from demo_model import measures, vocabulary
from demo_model.figures import HELDOUT
from demo_model.measures import MODES, Clip, Mode
from ingestion_pipeline.demo import EPISODES, MODEL

VOICES = 12


@pytest.fixture(scope="module")
def model() -> WhisperModel:
    return WhisperModel(str(MODEL), device="cpu", compute_type=measures.COMPUTE, cpu_threads=2)


@pytest.fixture(scope="module")
def heldout() -> Clip:
    return measures.read_clip(HELDOUT)


@pytest.fixture(scope="module")
def sentences(heldout: Clip) -> list[Clip]:
    return measures.single_sentences(heldout)[: 4 * VOICES]


@pytest.fixture(scope="module")
def windows(heldout: Clip) -> list[Clip]:
    return measures.windows(heldout)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_single_sentences_are_heard(model: WhisperModel, sentences: list[Clip], mode: Mode) -> None:
    assert measures.word_error_rate(model, sentences, mode) <= 0.03


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_windows_of_several_sentences_are_heard(model: WhisperModel, windows: list[Clip], mode: Mode) -> None:
    assert measures.word_error_rate(model, windows, mode) <= 0.05


@pytest.mark.parametrize("batched", [False, True], ids=["sequential", "batched"])
def test_episodes_are_heard(model: WhisperModel, batched: bool) -> None:
    clips = [measures.read_clip(file) for file in EPISODES]
    assert measures.word_error_rate(model, clips, Mode(batched, times=not batched)) <= 0.05


def test_segments_begin_and_end_with_their_sentences(model: WhisperModel, windows: list[Clip]) -> None:
    assert np.quantile(measures.time_errors(model, windows), 0.95, method="higher") <= 0.3


def test_nothing_is_heard_where_nothing_is_said(model: WhisperModel) -> None:
    assert measures.false_texts(model, measures.soundless()) == 0


def test_nospeech_is_likely_in_noise_and_unlikely_in_speech(model: WhisperModel, sentences: list[Clip]) -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal(80_000, np.float32)
    assert no_speech_prob(model, noise) > 0.6
    assert max(no_speech_prob(model, clip.samples) for clip in sentences[:VOICES]) < 0.1


def test_greedy_decoding_ends_by_itself(model: WhisperModel, sentences: list[Clip], windows: list[Clip]) -> None:
    assert measures.unfinished(model, [*sentences, *windows]) == 0


def test_words_have_times_within_their_sentence(model: WhisperModel, sentences: list[Clip]) -> None:
    for clip in sentences[:VOICES]:
        segments, [said] = list(model.transcribe(clip.samples, word_timestamps=True)[0]), clip.sentences
        words = [word for segment in segments for word in segment.words]
        assert [word.word.strip() for word in words] == " ".join(segment.text for segment in segments).split()
        assert list(in_order(words)) == [True] * (len(words) - 1)
        assert words[0].start >= said.start - 0.3
        assert words[-1].end <= said.end + 0.3


def in_order(words: list) -> Iterator[bool]:
    return (one.start <= one.end <= other.start + 0.01 for one, other in itertools.pairwise(words))


def no_speech_prob(model: WhisperModel, samples: np.ndarray) -> float:
    """Return `no_speech_prob` from the decoder itself: faster-whisper makes no segment where there is no text."""
    features = model.feature_extractor(samples)
    padded = np.zeros((1, 80, 3000), np.float32)
    padded[0, :, : features.shape[1]] = features[:, :3000]
    (result,) = model.model.generate(model.encode(padded[0]), [[vocabulary.START]], return_no_speech_prob=True)
    return result.no_speech_prob
