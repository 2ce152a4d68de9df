import random

import pytest

from demo_model.corpus import episode_texts, heldout_texts
from demo_model.sentences import Grammar, words_of


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar()


def test_every_slot_names_a_rule(grammar: Grammar) -> None:
    rng = random.Random(0)
    assert all("{" not in grammar.sentence(rng) for _ in range(3000))


def test_vocabulary_is_large_enough_for_episodes_about_something(grammar: Grammar) -> None:
    assert len(grammar.words) >= 300


def test_no_two_words_sound_alike(grammar: Grammar) -> None:
    alike = [("sea", "see"), ("for", "four"), ("no", "know"), ("by", "buy"), ("red", "read"), ("hour", "our")]
    for one, other in [*alike, ("night", "knight"), ("there", "their"), ("flour", "flower"), ("one", "won")]:
        assert not {one, other} <= set(grammar.words), f"{one} and {other} cannot be told apart by ear"


def test_sentences_begin_with_a_capital_and_end_with_a_mark(grammar: Grammar) -> None:
    rng = random.Random(1)
    for text in [*(grammar.sentence(rng) for _ in range(500)), *(grammar.scrambled(rng) for _ in range(50))]:
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert set(words_of(text)) <= {*grammar.words, "an"}


def test_the_same_seed_gives_the_same_sentences(grammar: Grammar) -> None:
    one, other = random.Random(5), random.Random(5)
    assert [grammar.sentence(one) for _ in range(20)] == [grammar.sentence(other) for _ in range(20)]


def test_episodes_use_only_words_that_the_model_was_taught(grammar: Grammar) -> None:
    assert {word for text in episode_texts() for word in words_of(text)} <= set(grammar.words)


def test_heldout_sentences_are_distinct_and_in_no_episode() -> None:
    texts = heldout_texts()
    assert len(set(texts)) == 200
    assert not set(texts) & set(episode_texts())
