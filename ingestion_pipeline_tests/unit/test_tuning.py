"""What is measured, in which order, and what is chosen."""

from dataclasses import replace
from itertools import islice

import pytest

from ingestion_pipeline.speech.recogniser import WhisperConfig
from ingestion_pipeline.tuning.plan import Measurement, best, candidates, env_lines, fits, reason

SMALL = WhisperConfig("m", "cpu", "int8", parallel=1, videos=1, batch=1)
LARGE = replace(SMALL, batch=8)


@pytest.mark.parametrize(("device", "first"), [("cpu", (4, 2, 4, "int8")), ("cuda", (1, 2, 16, "int8_float16"))])
def test_the_most_promising_comes_first_and_then_what_differs_in_one_thing(
    device: str, first: tuple[int, int, int, str]
) -> None:
    planned = list(candidates("m", device, 4))
    shapes = [(one.parallel, one.videos, one.batch, one.compute) for one in planned]
    assert shapes[0] == first
    assert len(set(shapes)) == len(shapes)
    assert all(sum(a != b for a, b in zip(shape, first, strict=True)) == 1 for shape in islice(shapes, 1, 7))


def test_on_one_core_there_are_no_two_workers() -> None:
    assert {one.parallel for one in candidates("m", "cpu", 1)} == {1}


@pytest.mark.parametrize(
    ("smaller", "expected"),
    [
        (Measurement(SMALL, 10, 1e9, 1), True),
        (Measurement(SMALL, 10, 9e9, 1), False),
        (Measurement(SMALL, fault="out of memory"), False),
        (Measurement(replace(SMALL, compute="float32"), 10, 9e9, 1), True),
        (Measurement(replace(SMALL, parallel=2), 10, 9e9, 1), True),
    ],
)
def test_what_is_larger_than_what_filled_the_memory_is_left_out(smaller: Measurement, expected: bool) -> None:
    assert fits(LARGE, [smaller], 10e9) is expected


def test_the_fastest_is_chosen() -> None:
    measured = [Measurement(SMALL, 10, 1e9, 1), Measurement(LARGE, 20, 2e9, 1), Measurement(SMALL, fault="no")]
    assert best(measured) is measured[1]
    assert reason(measured[1], measured) == "It is the fastest of 3: 20.0x real time."


def test_of_two_that_are_nearly_as_fast_the_smaller_is_chosen() -> None:
    measured = [Measurement(LARGE, 20, 2e9, 1), Measurement(SMALL, 19.8, 1e9, 1)]
    assert best(measured) is measured[1]
    assert "19.8x and 20.0x" in reason(measured[1], measured)


def test_nothing_is_chosen_where_nothing_worked() -> None:
    assert best([Measurement(SMALL, fault="no")]) is None


def test_a_choice_is_written_as_settings() -> None:
    assert env_lines(LARGE) == {
        "WHISPER_DEVICE": "cpu",
        "WHISPER_COMPUTE": "int8",
        "WHISPER_PARALLEL_MODELS": "1",
        "WHISPER_BATCH": "8",
        "ASR_WORKERS": "1",
    }
