"""Chunks of made-up speech: what is cut where, and which time of the audio a time of a chunk is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.speech.chunks import Chunk, chunks_of
from ingestion_pipeline.speech.voice import FRAME, FRAME_S, Speech

SECOND = round(1 / FRAME_S)


def speech(voice: list[float], index: list[int] | None = None) -> Speech:
    """Return speech whose samples in each frame are the number of the frame in the audio."""
    frames = np.arange(len(voice)) if index is None else np.array(index)
    return Speech(np.repeat(frames, FRAME).reshape(-1, FRAME).astype(np.float32), frames, np.array(voice, np.float32))


def chunk(*index: int) -> Chunk:
    return Chunk(np.zeros(len(index) * FRAME, np.float32), np.array(index))


@given(st.lists(st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0]), max_size=900), max_size=6))
def test_each_frame_is_in_one_chunk_and_none_is_too_long(parts: list[list[float]]) -> None:
    starts = [0, *itertools.accumulate(map(len, parts))]
    given = [speech(part, list(range(start, start + len(part)))) for part, start in zip(parts, starts, strict=False)]
    chunks = list(chunks_of(given))
    assert [frame for chunk in chunks for frame in chunk.index] == list(range(starts[-1]))
    assert [sample for chunk in chunks for sample in chunk.samples[::FRAME]] == list(range(starts[-1]))
    assert all(0 < chunk.duration_s <= 30 for chunk in chunks)


def test_a_chunk_ends_in_the_longest_pause_after_20_s() -> None:
    voice = np.ones(40 * SECOND)
    for start_s, pause_s in ((5, 3), (22, 1), (27, 0.5)):
        voice[start_s * SECOND : round((start_s + pause_s) * SECOND)] = 0
    first, _ = chunks_of([speech(list(voice))])
    assert first.duration_s == pytest.approx(22.5, abs=0.3)


def test_without_a_pause_a_chunk_ends_where_the_voice_is_weakest() -> None:
    voice = np.ones(40 * SECOND)
    voice[25 * SECOND] = 0.6
    first, _ = chunks_of([speech(list(voice))])
    assert len(first.index) == 25 * SECOND


def test_a_silence_that_was_left_out_is_a_pause() -> None:
    index = [frame if frame < 24 * SECOND else frame + 60 * SECOND for frame in range(40 * SECOND)]
    voice = [0.0 if abs(frame - 24 * SECOND) < 5 else 1.0 for frame in range(40 * SECOND)]
    first, second = chunks_of([speech(voice, index)])
    assert (first.index[-1], second.index[0]) == (24 * SECOND - 1, 84 * SECOND)


def test_times_of_a_chunk_become_times_of_the_audio() -> None:
    assert chunk(100, 101, 102).span_of(0.0, 0.05) == pytest.approx((100 * FRAME_S, 100 * FRAME_S + 0.05))


@pytest.mark.parametrize(
    ("span", "found"),
    [((1, 3), (11, 13)), ((1, 6), (11, 14)), ((3, 7), (50, 53)), ((4, 6), (50, 52)), ((2, 4), (12, 14))],
)
def test_what_lies_over_a_silence_belongs_to_its_longer_side(span: tuple[int, int], found: tuple[int, int]) -> None:
    start, end = chunk(10, 11, 12, 13, 50, 51, 52).span_of(span[0] * FRAME_S, span[1] * FRAME_S)
    assert (start / FRAME_S, end / FRAME_S) == pytest.approx(found)


@given(st.floats(0, 40), st.floats(0, 40))
def test_no_time_leaves_the_chunk(one: float, other: float) -> None:
    start, end = chunk(10, 11, 12, 50, 51).span_of(min(one, other), max(one, other))
    assert 10 * FRAME_S <= start <= end <= 52 * FRAME_S


def test_a_place_in_the_audio_keeps_no_samples_alive() -> None:
    [made] = chunks_of([speech([1.0] * SECOND)])
    place = made.without_samples()
    assert place.end_s == made.end_s
    assert place.samples.base is None
    assert place.index.base is None
