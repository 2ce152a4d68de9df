"""Targets are checked as text: a small tokenizer of our own would hide a wrong token."""

import random

import numpy as np
import pytest
from tokenizers import Tokenizer

from demo_model import vocabulary
from demo_model.corpus import Utterance
from demo_model.sentences import Grammar
from demo_model.windows import IGNORED, Spoken, Target, Window, WindowMaker, target_of

SAID = [Spoken("The old bell was loud.", 0.5, 2.0), Spoken("Bees need water.", 2.8, 4.0)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    grammar, rng = Grammar(), random.Random(0)
    return vocabulary.train_tokenizer([grammar.sentence(rng) for _ in range(2000)])


def spelled(tokenizer: Tokenizer, ids: list[int]) -> str:
    return "".join(spelled_token(tokenizer, token) for token in ids)


def spelled_token(tokenizer: Tokenizer, token: int) -> str:
    if token == IGNORED:
        return "_"
    if token >= vocabulary.FIRST_TIME:
        return f"<{(token - vocabulary.FIRST_TIME) * vocabulary.TIME_STEP:.2f}>"
    return tokenizer.id_to_token(token) if token >= vocabulary.END else tokenizer.decode([token])


def target(tokenizer: Tokenizer, spoken: list[Spoken], **options: object) -> Target:
    settings = {"times": True, "context": [], "context_times": True} | options
    window = Window(np.zeros(5 * 16_000, np.float32), spoken)
    made = target_of(window, lambda text: tokenizer.encode(text).ids, **settings)
    assert len(made.inputs) == len(made.labels) == len(made.places)
    return made


def targets(tokenizer: Tokenizer, spoken: list[Spoken], **options: object) -> tuple[str, str]:
    made = target(tokenizer, spoken, **options)
    return spelled(tokenizer, made.inputs), spelled(tokenizer, made.labels)


def test_special_tokens_stand_where_whisper_has_them(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_to_id(token) for token in vocabulary.SPECIAL] == list(
        range(vocabulary.PIECES, vocabulary.FIRST_TIME)
    )
    assert tokenizer.token_to_id("<|notimestamps|>") + 1 == vocabulary.FIRST_TIME


def test_no_text_needs_the_space_that_faster_whisper_suppresses(tokenizer: Tokenizer) -> None:
    grammar, rng = Grammar(), random.Random(3)
    texts = [f" {grammar.sentence(rng)}" for _ in range(500)]
    assert all(vocabulary.BLANK_TOKEN not in tokenizer.encode(text).tokens for text in texts)


def test_each_sentence_stands_between_its_times(tokenizer: Tokenizer) -> None:
    inputs, labels = targets(tokenizer, SAID)
    said = "<0.50> The old bell was loud.<2.00><2.80> Bees need water.<4.00>"
    assert inputs == f"<|startoftranscript|>{said}"
    assert labels == f"{said}<|endoftext|>"


def test_without_times_sentences_follow_each_other(tokenizer: Tokenizer) -> None:
    inputs, labels = targets(tokenizer, SAID, times=False)
    assert inputs == "<|startoftranscript|><|notimestamps|> The old bell was loud. Bees need water."
    assert labels == "<|notimestamps|> The old bell was loud. Bees need water.<|endoftext|>"


def test_a_sentence_that_the_window_cuts_gives_its_start_alone(tokenizer: Tokenizer) -> None:
    _, labels = targets(tokenizer, [*SAID, Spoken("We can wait.", 4.5, 5.7)])
    assert labels.endswith(" Bees need water.<4.00><4.50><|endoftext|>")


@pytest.mark.parametrize(
    ("times", "expected"), [(True, "<|nospeech|><|endoftext|>"), (False, "<|nospeech|><0.00><|endoftext|>")]
)
def test_silence_is_nospeech_and_a_time_without_text(tokenizer: Tokenizer, times: bool, expected: str) -> None:
    inputs, labels = targets(tokenizer, [], times=times)
    assert labels == expected
    assert inputs.endswith("<0.00>")


def test_previous_text_is_given_but_not_learned(tokenizer: Tokenizer) -> None:
    before = [Spoken("We sang.", 26.0, 27.0)]
    inputs, labels = targets(tokenizer, SAID[:1], context=before)
    assert inputs.startswith("<|startofprev|><26.00> We sang.<27.00><|startoftranscript|><0.50>")
    assert labels.lstrip("_").startswith("<0.50> The old")
    assert targets(tokenizer, SAID[:1], context=before, context_times=False)[0].startswith("<|startofprev|> We sang.<|")


@pytest.mark.parametrize("times", [True, False])
def test_every_token_has_the_place_where_it_is_heard(tokenizer: Tokenizer, times: bool) -> None:
    made = target(tokenizer, SAID, times=times, context=SAID)
    learned = [(label, place) for label, place in zip(made.labels, made.places, strict=True) if place >= 0]
    places = [place for _, place in learned]
    assert places == sorted(places)
    assert all(0.5 <= place <= 2.0 or 2.8 <= place <= 4.0 for place in places)
    assert spelled(tokenizer, [label for label, _ in learned if label < vocabulary.END]).endswith("Bees need water.")
    for label, place in learned:
        if label >= vocabulary.FIRST_TIME:
            assert place == pytest.approx((label - vocabulary.FIRST_TIME) * vocabulary.TIME_STEP)


def test_drawn_windows_keep_to_their_length_and_to_their_words() -> None:
    rng = random.Random(2)
    corpus = [
        Utterance(f"{number}.", ["n"], "en-us", np.full(32_000 + 1600 * number, 9000, np.int16)) for number in range(20)
    ]
    maker = WindowMaker(corpus)
    cut = 0
    for _ in range(200):
        window = maker.speech(rng, 10.0, may_cut=True)
        seconds = len(window.samples) / 16_000
        assert 0 < seconds <= 10.0
        assert np.abs(window.samples).max() <= 1.0
        assert all(one.end <= other.start for one, other in zip(window.spoken, window.spoken[1:], strict=False))
        cut += bool(window.spoken) and window.spoken[-1].end > seconds
        uncut = maker.speech(rng, 10.0, may_cut=False)
        assert all(said.end <= len(uncut.samples) / 16_000 for said in uncut.spoken)
    assert cut > 20


def test_silences_are_heard_as_nothing() -> None:
    maker, rng = WindowMaker([]), random.Random(4)
    windows = [maker.silence(rng, 30.0) for _ in range(50)]
    assert all(not window.spoken and 0.5 <= len(window.samples) / 16_000 <= 30.0 for window in windows)
    assert any(not window.samples.any() for window in windows)
