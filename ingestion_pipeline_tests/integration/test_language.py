"""Which language is heard: a vote over several places, and what is said where the model does not know it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import WhisperModel

from ingestion_pipeline.demo import EPISODES, MODEL
from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.speech.language import spoken_language
from ingestion_pipeline.speech.recogniser import WhisperConfig
from ingestion_pipeline.speech.resident import ResidentWhisper
from ingestion_pipeline.speech.waveform import RATE
from ingestion_pipeline_tests.support.recordings import episode, write_audio


class Polyglot:
    """demo-en with an opinion about languages: what it takes each place for, in turn."""

    is_multilingual = True

    def __init__(self, whisper: object, opinions: list[list[tuple[str, float]]]) -> None:
        self._whisper, self._opinions = whisper, iter(opinions)

    def __getattr__(self, name: str) -> object:
        return getattr(self._whisper, name)

    def detect_language(self, _encoded: object) -> list[list[tuple[str, float]]]:
        return [next(self._opinions)]


def test_the_places_of_an_audio_vote_on_its_language(tmp_path: Path) -> None:
    opinions = [[("<|en|>", 0.6), ("<|de|>", 0.4)], [("<|de|>", 0.9), ("<|en|>", 0.1)], [("<|en|>", 0.55)]]
    model = WhisperModel(str(MODEL), device="cpu", compute_type="int8")
    model.model = Polyglot(model.model, opinions)
    long = np.concatenate([episode(number) for number in range(4)])
    assert 180 * RATE <= len(long) < 240 * RATE, "three places, one for each minute"
    assert spoken_language(model, write_audio(tmp_path / "long.flac", long, codec="flac")) == "de"


def test_a_model_for_english_that_hears_another_language_says_what_to_set(tmp_path: Path) -> None:
    folder = tmp_path / "distil-bees"  # by its name, as those of the distilled models do not say so otherwise
    shutil.copytree(MODEL, folder)
    resident = ResidentWhisper(WhisperConfig(str(folder), "cpu", "int8", parallel=1, videos=1))
    loaded, _ = resident._loaded()  # noqa: SLF001 - the model must be there before it has an opinion
    loaded.model = Polyglot(loaded.model, [[("<|de|>", 1.0)]])
    with pytest.raises(Permanent, match=r"v1 is in 'de', .*distil-bees knows only English\. Set WHISPER_MODEL="):
        resident.transcribe("v1", EPISODES[0], None, said=print)
    resident.close()


def test_speech_is_looked_for_everywhere_before_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    model = WhisperModel(str(MODEL), device="cpu", compute_type="int8")
    model.model = Polyglot(model.model, [[("<|fr|>", 1.0)]])
    silence = np.zeros(120 * RATE, np.float32)
    late = write_audio(tmp_path / "late.flac", np.concatenate([silence, episode()[: 9 * RATE]]), codec="flac")
    assert spoken_language(model, late) == "fr"
    assert spoken_language(model, write_audio(tmp_path / "none.flac", silence, codec="flac")) is None
