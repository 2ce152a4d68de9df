"""Words to segments."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.records import Segment, Word
from ingestion_pipeline.speech.chunks import Chunk
from ingestion_pipeline.speech.decoder import Heard
from ingestion_pipeline.speech.sentences import LONGEST_S, segments_of
from ingestion_pipeline.speech.voice import FRAME, FRAME_S


def chunk_at(start_s: float, duration_s: float = 30.0) -> Chunk:
    index = np.arange(round(start_s / FRAME_S), round((start_s + duration_s) / FRAME_S))
    return Chunk(np.zeros(len(index) * FRAME, np.float32), index)


def heard(*words: Word, avg_logprob: float = -0.2) -> Heard:
    return Heard(words, avg_logprob, 1.2, 0.01)


def spoken(text: str, start: float = 0.0, each_s: float = 0.5) -> list[Word]:
    return [Word(start + i * each_s, start + (i + 1) * each_s, f" {word}") for i, word in enumerate(text.split())]


def segments(*words: Word) -> list[Segment]:
    return list(segments_of([(chunk_at(0.0), heard(*words))]))


def texts(*words: Word) -> list[str]:
    return [segment.text for segment in segments(*words)]


def test_a_segment_is_a_sentence() -> None:
    assert texts(*spoken("Bees sleep. Do they? Yes! “They do.” And")) == [
        "Bees sleep.", "Do they?", "Yes!", "“They do.”", "And",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["Mr. Bell met Dr. Miller", "J. S. Bach wrote", "the U.S. is", "it is 3.5 m"])
def test_not_every_full_stop_ends_a_sentence(text: str) -> None:
    assert texts(*spoken(text)) == [text]


def test_the_marks_of_other_scripts_end_a_sentence() -> None:
    assert texts(Word(0, 1, "蜜蜂在冬天，"), Word(1, 2, "不睡觉。"), Word(2, 3, "是吗？")) == [
        "蜜蜂在冬天，不睡觉。",
        "是吗？",
    ]


@pytest.mark.parametrize("text", ["वे सोती नहीं।", "هل تنام؟", "وہ نہیں سوتیں۔", "Նրանք չեն քնում։"])
def test_so_do_those_that_only_look_alike(text: str) -> None:
    assert texts(*spoken(f"{text} A")) == [text, "A"]


def test_a_pause_ends_a_segment() -> None:
    assert texts(*spoken("one two"), *spoken("three", 2.1)) == ["one two", "three"]
    assert texts(*spoken("one two"), *spoken("three", 1.9)) == ["one two three"]


def test_a_long_sentence_is_cut_at_its_last_comma() -> None:
    words = spoken("w " * 30 + "comma, " + "w " * 15 + "end.")
    assert [text.split()[-1] for text in texts(*words)] == ["comma,", "end."]


def test_a_long_sentence_without_a_comma_is_cut_where_it_is_too_long() -> None:
    assert max(segment.end - segment.start for segment in segments(*spoken("w " * 100))) <= LONGEST_S


def test_a_sentence_goes_on_in_the_next_chunk() -> None:
    first, second = chunk_at(0.0, 32.0), chunk_at(32.0)
    parts = [
        (first, heard(*spoken("Bees sleep. In", 30.5), avg_logprob=-0.1)),
        (second, heard(*spoken("winter they do. Not all."), avg_logprob=-0.9)),
    ]
    found = list(segments_of(parts))
    assert [(segment.text, segment.start, segment.end, segment.avg_logprob) for segment in found] == [
        ("Bees sleep.", 30.5, 31.5, -0.1),
        ("In winter they do.", 31.5, 33.5, -0.1),
        ("Not all.", 33.5, 34.5, -0.9),
    ]


def test_words_are_kept_where_they_are_asked_for() -> None:
    [segment] = segments_of([(chunk_at(0.0), heard(Word(0, 1, " Bees", 0.9)))], words=True)
    assert segment.words == [Word(0, 1, "Bees", 0.9)]
    [segment] = segments_of([(chunk_at(0.0), heard(Word(0, 1, " Bees", 0.9)))])
    assert segment.words == ()


@given(st.lists(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30), st.sampled_from([" a", " b.", " c,"])))))
def test_no_word_is_lost_and_no_time_goes_back(chunks: list[list[tuple[float, float, str]]]) -> None:
    parts = [
        (chunk_at(32.0 * number, 32.0), heard(*(Word(min(one, two), max(one, two), text) for one, two, text in words)))
        for number, words in enumerate(chunks)
    ]
    found = list(segments_of(parts))
    said = [text.strip() for words in chunks for _, _, text in words]
    assert " ".join(segment.text for segment in found).split() == said
    assert all(one.start <= one.end <= other.start for one, other in itertools.pairwise([*found, *found[-1:]][:-1]))
    assert all(segment.end <= 32.0 * len(chunks) for segment in found)
