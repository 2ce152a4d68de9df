"""The whole way from espeak-ng to a folder that faster-whisper loads, in miniature."""

import json
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import WhisperModel

from demo_model.corpus import SHARD, build_corpus, episode_texts, heldout_texts, read_corpus
from demo_model.speech import VOICES
from train_demo_model import trained_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a path with a space")
    assert list(build_corpus(folder / "corpus", SHARD, seed=1, workers=2)) == [SHARD]
    return folder


def test_the_corpus_has_all_voices_and_no_sentence_that_is_measured(work: Path) -> None:
    corpus = read_corpus(work / "corpus")
    assert {utterance.voice for utterance in corpus} == set(VOICES)
    assert not {utterance.text for utterance in corpus} & {*heldout_texts(), *episode_texts()}
    assert all(8_000 < len(utterance.samples) < 16_000 * 12 for utterance in corpus)


def test_only_missing_shards_are_made_and_they_are_the_same_again(work: Path) -> None:
    shard = work / "corpus/0000.npy"
    before = shard.read_bytes()
    assert list(build_corpus(work / "corpus", SHARD, seed=1, workers=2)) == []
    shard.unlink()
    assert list(build_corpus(work / "corpus", SHARD, seed=1, workers=2)) == [SHARD]
    assert shard.read_bytes() == before


def test_a_thousandth_of_the_training_gives_a_model_that_faster_whisper_loads(work: Path, tmp_path: Path) -> None:
    trained_model(work, tmp_path / "model", seed=1, scale=0.001)
    model = WhisperModel(str(tmp_path / "model"), device="cpu", compute_type="int8")
    assert not model.model.is_multilingual
    assert model.encode(np.zeros((80, 3000), np.float32)).shape == [1, 1500, 128]
    assert json.loads((tmp_path / "model/config.json").read_text())["suppress_ids_begin"]
