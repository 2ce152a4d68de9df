"""Passages: every text in one, none over 60 s or 250 tokens, a sentence of overlap, cut where the speech allows."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.embedding.passages import MOST_S, MOST_TOKENS, SILENCE_S, passages_of, tokens_in
from ingestion_pipeline.records import Passage, Segment


def sentences(*lengths: float, gap: float = 0.5, end: str = ".") -> list[Segment]:
    segments, start = [], 0.0
    for number, length in enumerate(lengths):
        segments.append(Segment(start, start + length, f"sentence {number}{end}"))
        start += length + gap
    return segments


def test_a_passage_ends_with_the_first_sentence_after_thirty_seconds_and_the_next_begins_with_it() -> None:
    first, second = passages_of(sentences(*[8.0] * 7))
    assert (first.start, first.end) == (0.0, 33.5)
    assert first.text == "sentence 0. sentence 1. sentence 2. sentence 3."
    assert second.text == "sentence 3. sentence 4. sentence 5. sentence 6."
    assert second.start == 25.5


def test_what_is_left_over_before_a_silence_belongs_to_the_passage_before() -> None:
    (whole,) = passages_of(sentences(*[8.0] * 5))
    assert whole.text.endswith("sentence 3. sentence 4.")
    first, second = passages_of(sentences(20.0, 25.0, 20.0))
    assert (first.text, second.text) == ("sentence 0. sentence 1.", "sentence 1. sentence 2.")


@pytest.mark.parametrize("end", ["?", "!", '."', "。", ".)"])
def test_a_sentence_may_end_in_several_ways(end: str) -> None:
    assert passages_of(sentences(*[8.0] * 7, end=end))[0].text.endswith(f"sentence 3{end}")


def test_without_sentence_ends_a_passage_stops_before_sixty_seconds() -> None:
    passages = passages_of(sentences(*[9.0] * 10, end=""))
    assert [re.findall(r"\d", passage.text) for passage in passages] == [list("012345"), list("56789")]


def test_a_sentence_that_leaves_no_room_is_not_repeated() -> None:
    passages = passages_of(sentences(40.0, 40.0, 40.0))
    assert [passage.text for passage in passages] == ["sentence 0.", "sentence 1.", "sentence 2."]


def test_a_passage_never_crosses_a_long_silence() -> None:
    passages = passages_of(sentences(3.0, 3.0, 3.0, gap=SILENCE_S + 0.1))
    assert [passage.text for passage in passages] == ["sentence 0.", "sentence 1.", "sentence 2."]


def test_no_speech_gives_no_passage() -> None:
    assert passages_of([]) == []
    assert passages_of([Segment(0, 1, "")]) == []
    assert passages_of([Segment(0, 1, " ")]) == []


def test_a_script_without_spaces_goes_by_characters() -> None:
    said = "今天我们来谈谈面包是怎么做的还有为什么它这么好吃大家都喜欢"
    passages = passages_of([Segment(6.0 * number, 6.0 * number + 6, said) for number in range(10)])
    assert [passage.text.count(said) for passage in passages] == [8, 3]


def test_an_endless_sentence_is_cut_between_words_and_shares_its_time() -> None:
    words = [f"word{number}" for number in range(400)]
    passages = passages_of([Segment(0.0, 59.0, " ".join(words))])
    assert [word for passage in passages for word in passage.text.split()] == words
    assert all(tokens_in(passage.text) <= MOST_TOKENS for passage in passages)
    assert (
        passages[0].end
        == passages[1].start
        == pytest.approx(59 * len(passages[0].text) / len(" ".join(words)), abs=0.1)
    )


def test_a_text_without_any_space_is_cut_all_the_same() -> None:
    assert "".join(passage.text for passage in passages_of([Segment(0.0, 10.0, "x" * 5000)])) == "x" * 5000


TEXTS = ["a.", "b", "c?", "", "。", "x" * 300, "面包" * 60, "many words " * 30]


@st.composite
def transcripts(draw: st.DrawFn) -> list[Segment]:
    segments, start = [], 0.0
    for length, gap, text in draw(
        st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 12), st.sampled_from(TEXTS)), max_size=60)
    ):
        segments.append(Segment(start, start + length, text.strip()))
        start += length + gap
    return segments


def overlap(one: Passage, other: Passage) -> bool:
    return other.start < one.end


@given(transcripts())
def test_every_text_is_in_a_passage_and_no_passage_is_too_long(segments: list[Segment]) -> None:
    passages = passages_of(segments)
    for segment in segments:
        within = [one for one in passages if one.start <= segment.start and segment.end <= one.end]
        assert not segment.text or any(segment.text in one.text for one in within)
    assert all(passage.end - passage.start <= MOST_S for passage in passages)
    assert all(tokens_in(passage.text) <= MOST_TOKENS for passage in passages)


@given(transcripts())
def test_neighbours_share_one_sentence_or_none(segments: list[Segment]) -> None:
    passages, spoken = passages_of(segments), [segment for segment in segments if segment.text]
    for one, other in itertools.pairwise(passages):
        shared = [segment for segment in spoken if other.start <= segment.start and segment.end <= one.end]
        assert len(shared) == overlap(one, other)
        assert all(one.text.endswith(segment.text) and other.text.startswith(segment.text) for segment in shared)
        if not shared:
            following = next(segment for segment in spoken if segment.start >= other.start)
            last = next(segment for segment in reversed(spoken) if segment.end <= one.end)
            silent = following.start - last.end > SILENCE_S
            too_long = following.end - last.start > MOST_S
            too_many = tokens_in(f"{last.text} {following.text}") > MOST_TOKENS
            assert silent or too_long or too_many


@given(transcripts())
def test_no_passage_holds_a_silence(segments: list[Segment]) -> None:
    spoken = [segment for segment in segments if segment.text]
    for passage in passages_of(segments):
        within = [one for one in spoken if passage.start <= one.start and one.end <= passage.end]
        assert all(after.start - before.end <= SILENCE_S for before, after in itertools.pairwise(within))
