"""Which of two decodings of a chunk is kept."""

import pytest

from ingestion_pipeline.speech.decoder import Heard, _better


def heard(avg_logprob: float, compression_ratio: float = 1.5, no_speech_prob: float = 0.1) -> Heard:
    return Heard((), avg_logprob, compression_ratio, no_speech_prob)


@pytest.mark.parametrize(
    ("first", "again", "kept"),
    [
        pytest.param(heard(-1.1), heard(-0.9), "again", id="what raises no doubt"),
        pytest.param(heard(-0.2, compression_ratio=2.5), heard(-0.9), "again", id="no doubt, though less likely"),
        pytest.param(heard(-1.1), heard(-1.4), "first", id="the likelier of two"),
        pytest.param(heard(-1.4), heard(-1.1), "again", id="the likelier of two, the other way round"),
        pytest.param(heard(-1.1), heard(-0.1, compression_ratio=2.5), "first", id="a loop is the worse"),
        pytest.param(heard(-0.1, compression_ratio=2.5), heard(-1.1), "again", id="a loop is the worse, whichever"),
        pytest.param(heard(-1.1), heard(-1.4, no_speech_prob=0.9), "again", id="silence"),
    ],
)
def test_of_two_decodings_the_better_is_kept(first: Heard, again: Heard, kept: str) -> None:
    assert _better(first, again) is {"first": first, "again": again}[kept]
