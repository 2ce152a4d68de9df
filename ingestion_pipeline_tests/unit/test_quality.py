"""Quality: each check fails on what it is for, blocks or warns as it should, and leaves short videos alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingestion_pipeline import quality
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import LowQuality
from ingestion_pipeline.quality import DEFAULTS, Finding, Limits, Vectors
from ingestion_pipeline.records import Audio, Segment, Transcript
from ingestion_pipeline_tests.support.examples import transcript, video

SPOKEN = [said["text"] for file in EPISODES for said in json.loads(file.with_suffix(".json").read_text())["spoken"]]
TALK = transcript(*SPOKEN[:20])
LOOP = transcript(*["Thank you very much for watching this."] * 20)
AUDIO = Audio(Path("one.opus"), "hash", 1000, 600.0, "opus", 48000, 1, "en")


def findings(subject: Transcript, language: str | None = "en", limits: Limits = DEFAULTS) -> dict[str, Finding]:
    return {finding.check: finding for finding in quality.of_transcript(subject, language, limits)}


def faults(subject: Transcript, language: str | None = "en", limits: Limits = DEFAULTS) -> dict[str, bool]:
    """Return the checks that fail, and whether each blocks."""
    found = findings(subject, language, limits)
    return {name: finding.blocks for name, finding in found.items() if finding.fault}


@pytest.mark.parametrize("language", ["en", None])
def test_a_sound_transcript_has_no_fault(language: str | None) -> None:
    assert faults(TALK, language) == {}
    assert set(findings(TALK)) == {
        "speech_covered", "repetition", "words_per_second", "language", "timestamps", "left_out",
    }  # fmt: skip


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(transcript(), id="silence"),
        pytest.param(transcript("Hey."), id="a word"),
        pytest.param(transcript("No, no, no, no, no, no!"), id="a short exclamation"),
        pytest.param(replace(transcript("Hey."), speech_s=9.0), id="a jingle"),
        pytest.param(transcript("One two three four five six seven eight nine ten eleven twelve."), id="one fast line"),
    ],
)
def test_short_and_silent_videos_are_left_alone(harmless: Transcript) -> None:
    assert faults(harmless) == {}


@pytest.mark.parametrize(("speech_s", "blocks"), [(200.0, False), (2000.0, True)])
def test_speech_without_a_text_warns_and_without_any_blocks(speech_s: float, blocks: bool) -> None:
    assert faults(replace(TALK, speech_s=speech_s)) == {"speech_covered": blocks}
    assert findings(replace(TALK, speech_s=speech_s))["speech_covered"].fault.startswith(f"Of {speech_s:.0f} s of")


def test_a_loop_blocks_and_a_refrain_warns() -> None:
    assert faults(LOOP) == {"repetition": True}
    texts = [said.text for said in LOOP.segments]
    assert faults(transcript(*SPOKEN, *texts[:8])) == {}
    assert faults(transcript(*SPOKEN[:20], *texts[:15])) == {"repetition": False}


def test_a_limit_lifts_the_block_with_the_warning() -> None:
    assert faults(LOOP, limits=Limits(repetition=1.0)) == {}
    silent = replace(TALK, speech_s=2000.0)
    assert faults(silent, limits=Limits(speech_covered=0.0)) == {}


def test_more_words_than_anybody_can_speak_warn() -> None:
    hurried = [replace(said, end=said.start + 1) for said in TALK.segments]
    assert faults(replace(TALK, segments=hurried, speech_s=20.0)) == {"words_per_second": False}
    assert findings(transcript("Two words."))["words_per_second"].values == {"words_per_second": 0.5, "words": 2}


def test_another_language_blocks() -> None:
    assert faults(TALK, "de") == {"language": True}
    assert findings(TALK, None)["language"].values["expected"] == "not said"


def test_times_that_go_back_block() -> None:
    turned = [*TALK.segments[:3], TALK.segments[4], TALK.segments[3], *TALK.segments[5:]]
    assert faults(replace(TALK, segments=turned)) == {"timestamps": True}
    ends_before = [Segment(9.0, 8.0, "Back."), *TALK.segments[2:]]
    assert faults(replace(TALK, segments=ends_before)) == {"timestamps": True}


def test_much_that_was_left_out_warns() -> None:
    assert faults(replace(TALK, left_out_s=7.0)) == {}
    assert faults(replace(TALK, left_out_s=9.0)) == {"left_out": False}


@pytest.mark.parametrize(("site_s", "wrong"), [(600.0, False), (650.0, False), (700.0, True), (300.0, True)])
def test_audio_of_another_length_than_the_site_said_warns(site_s: float, wrong: bool) -> None:
    (found,) = quality.of_audio(video(1, duration_s=site_s), AUDIO, DEFAULTS)
    assert (bool(found.fault), found.blocks) == (wrong, False)


@pytest.mark.parametrize("site_s", [None, 0.0, 12.0])
def test_a_length_that_is_not_known_or_a_few_seconds_off_is_no_fault(site_s: float | None) -> None:
    (found,) = quality.of_audio(video(1, duration_s=site_s), replace(AUDIO, duration_s=15.0), DEFAULTS)
    assert not found.fault


VECTORS = np.eye(3, 16, dtype=np.float32)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (VECTORS[:2], "count"),
        (VECTORS[:, :8], "dimensions"),
        (VECTORS * 1.1, "norm"),
        (VECTORS * np.array([[1], [np.nan], [1]], np.float32), "numbers"),
        (VECTORS + np.array([[0], [np.inf], [0]], np.float32), "numbers"),
    ],
)
def test_vectors_that_cannot_be_searched_block(wrong: np.ndarray, check: str) -> None:
    found = quality.of_vectors(quality.figures_of(wrong), 3, 16)
    assert [finding.check for finding in found if finding.blocks] == [check]


def test_sound_vectors_and_none_at_all_have_no_fault() -> None:
    for vectors in (VECTORS, VECTORS[:0]):
        assert not any(one.fault for one in quality.of_vectors(quality.figures_of(vectors), len(vectors), 16))
    assert quality.figures_of(VECTORS) == Vectors(3, 16, 1.0, 1.0)


def test_what_blocks_is_named_with_what_to_do() -> None:
    with pytest.raises(LowQuality, match=r"^A text is not fit for a search\. repetition: 100% of .* Mend it\.$"):
        quality.require("A text", quality.of_transcript(LOOP, None, DEFAULTS), "Mend it.")
    quality.require("A text", quality.of_transcript(replace(TALK, left_out_s=50.0), None, DEFAULTS), "Mend it.")
