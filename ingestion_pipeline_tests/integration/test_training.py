"""The training loop on a corpus of a few noises: what it learns is nothing, how it goes on is all."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from demo_model import vocabulary
from demo_model.corpus import Utterance
from demo_model.network import Trainee, hear
from demo_model.training import CHECKPOINT_EVERY, REPORT_EVERY, Batches, Progress, Stage, train

STAGES = [Stage(1, 1, CHECKPOINT_EVERY + REPORT_EVERY), Stage(2, 2, REPORT_EVERY)]
STEPS = CHECKPOINT_EVERY + 2 * REPORT_EVERY


@pytest.fixture(scope="module")
def batches() -> Batches:
    noise = np.random.default_rng(0)
    corpus = [
        Utterance(f"Sentence number {number}.", ["s", "n"], "en-us", noise.integers(-9000, 9000, 8000, np.int16))
        for number in range(30)
    ]
    tokenizer = vocabulary.train_tokenizer(utterance.text for utterance in corpus)
    return Batches(corpus, tokenizer, STAGES, seed=1)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_ends_in_the_same_weights(tmp_path: Path, batches: Batches) -> None:
    whole, interrupted, resumed = (Trainee(seed, len(batches.phonemes)) for seed in (1, 1, 2))
    assert steps(train(whole, batches, tmp_path / "whole.pt", "cpu"))[-1] == STEPS

    until_after_the_checkpoint = itertools.takewhile(
        lambda progress: progress.step <= CHECKPOINT_EVERY, train(interrupted, batches, tmp_path / "cut.pt", "cpu")
    )
    assert steps(until_after_the_checkpoint)[-1] == CHECKPOINT_EVERY

    resumed_steps = steps(train(resumed, batches, tmp_path / "cut.pt", "cpu"))
    assert resumed_steps == list(range(CHECKPOINT_EVERY + REPORT_EVERY, STEPS + 1, REPORT_EVERY))
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], weights, msg=name)


def test_a_batch_depends_on_its_number_alone(batches: Batches) -> None:
    one, again, other = batches[7], batches[7], batches[8]
    assert torch.equal(one.features, again.features)
    assert torch.equal(one.labels, again.labels)
    assert not torch.equal(one.features, other.features)


def test_previous_text_comes_only_after_the_first_stage(batches: Batches) -> None:
    has_context = [bool((batches[step].tokens == vocabulary.PREVIOUS).any()) for step in (*range(20), *range(125, 145))]
    assert not any(has_context[:20])
    assert any(has_context[20:])


def test_a_head_at_a_time_hears_and_learns_the_same() -> None:
    features = torch.randn(2, 80, 400, generator=torch.manual_seed(3))
    heard, learned = [], []
    for by_head in (False, True):
        trainee = Trainee(seed=1, phonemes=2)
        if by_head:
            trainee.hear_head_by_head()
        output = hear(trainee.whisper, features)
        output.square().mean().backward()
        heard.append(output)
        learned.append(trainee.whisper.model.encoder.layers[0].self_attn.q_proj.weight.grad)
    torch.testing.assert_close(heard[1], heard[0])
    torch.testing.assert_close(learned[1], learned[0], rtol=1e-3, atol=1e-6)


def steps(reports: Iterable[Progress]) -> list[int]:
    return [report.step for report in reports]
