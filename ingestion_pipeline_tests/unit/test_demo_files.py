"""What is shipped: small enough, in several voices, with the times of what is said."""

import itertools
import json
from pathlib import Path

import pytest
from faster_whisper.audio import decode_audio

from demo_model.corpus import EPISODES as EPISODE_TEXTS
from demo_model.corpus import episode_texts, heldout_texts
from demo_model.figures import HELDOUT
from ingestion_pipeline.demo import EPISODES, MODEL

SPOKEN = {file.stem: json.loads(file.with_suffix(".json").read_text()) for file in [*EPISODES, HELDOUT]}


def test_the_model_is_about_three_megabytes_and_has_a_card() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 4_000_000
    assert "**It is no model for your recordings.**" in (MODEL / "README.md").read_text()


def test_five_episodes_or_more_in_three_voices_or_more_under_three_megabytes() -> None:
    assert len(EPISODES) >= 5
    assert len({said["voice"] for file in EPISODES for said in SPOKEN[file.stem]["spoken"]}) >= 3
    assert sum(file.stat().st_size for file in EPISODES) < 3_000_000


def test_heldout_speech_is_under_two_megabytes() -> None:
    assert HELDOUT.stat().st_size < 2_000_000


@pytest.mark.parametrize("audio", [*EPISODES, HELDOUT], ids=lambda file: file.stem)
def test_the_times_lie_in_the_audio_and_apart(audio: Path) -> None:
    about = SPOKEN[audio.stem]
    samples = decode_audio(str(audio))
    assert len(samples) / 16_000 == pytest.approx(about["duration_s"], abs=0.05)
    assert about["spoken"][-1]["end"] <= about["duration_s"]
    for one, other in zip(about["spoken"], about["spoken"][1:], strict=False):
        assert one["start"] < one["end"] <= other["start"] - 0.49


@pytest.mark.parametrize("audio", EPISODES, ids=lambda file: file.stem)
def test_an_episode_lasts_half_a_minute_to_two(audio: Path) -> None:
    assert 30 <= SPOKEN[audio.stem]["duration_s"] <= 120


def test_one_episode_has_a_long_silence_in_the_middle() -> None:
    spoken = SPOKEN["where-the-water-comes-from"]["spoken"]
    assert max(other["start"] - one["end"] for one, other in itertools.pairwise(spoken)) >= 20


def test_the_files_say_what_their_texts_say() -> None:
    assert EPISODE_TEXTS.exists()
    assert [said["text"] for said in SPOKEN["heldout"]["spoken"]] == heldout_texts()
    assert sorted(said["text"] for file in EPISODES for said in SPOKEN[file.stem]["spoken"]) == sorted(episode_texts())
