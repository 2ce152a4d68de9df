"""Passages: every sentence in just one, none over 60 s, cut where the speech allows."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.embedding.passages import MOST_S, SILENCE_S, passages_of
from ingestion_pipeline.records import Segment


def sentences(*lengths: float, gap: float = 0.5, end: str = ".") -> list[Segment]:
    segments, start = [], 0.0
    for number, length in enumerate(lengths):
        segments.append(Segment(start, start + length, f"sentence {number}{end}"))
        start += length + gap
    return segments


def test_a_passage_ends_with_the_first_sentence_after_thirty_seconds() -> None:
    first, second = passages_of(sentences(*[8.0] * 6))
    assert (first.start, first.end) == (0.0, 33.5)
    assert first.text.endswith("sentence 3.")
    assert second.text == "sentence 4. sentence 5."


def test_without_sentence_ends_a_passage_stops_before_sixty_seconds() -> None:
    passages = passages_of(sentences(*[9.0] * 10, end=""))
    assert [passage.text.count("sentence") for passage in passages] == [6, 4]


def test_a_passage_never_crosses_a_long_silence() -> None:
    passages = passages_of(sentences(3.0, 3.0, 3.0, gap=SILENCE_S + 0.1))
    assert len(passages) == 3


def test_no_speech_gives_no_passage() -> None:
    assert passages_of([]) == []
    assert passages_of([Segment(0, 1, "")]) == []


@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 12), st.sampled_from(["a.", "b", "c?", "", "。"])), max_size=60)
)
def test_every_text_is_in_just_one_passage_in_order(parts: list[tuple[float, float, str]]) -> None:
    segments, start = [], 0.0
    for length, gap, text in parts:
        segments.append(Segment(start, start + length, text))
        start += length + gap
    passages = passages_of(segments)
    spoken = [segment.text for segment in segments if segment.text]
    assert [text for passage in passages for text in passage.text.split(" ")] == spoken
    assert all(passage.end - passage.start <= MOST_S for passage in passages)
    assert all(one.end <= other.start + 1e-9 for one, other in itertools.pairwise(passages))
