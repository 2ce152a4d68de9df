"""What the languages of feeds, sites and files are to Whisper."""

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES

from ingestion_pipeline.languages import WHISPER, whisper_language


def test_the_list_is_that_of_faster_whisper() -> None:
    assert set(_LANGUAGE_CODES) == WHISPER


@pytest.mark.parametrize("code", sorted(WHISPER))
def test_a_code_of_whisper_stays_what_it_is(code: str) -> None:
    assert whisper_language(code) == code


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en-US", "en"),
        ("de_AT", "de"),
        (" EN-us ", "en"),
        ("zh-Hant", "zh"),
        ("zh-HK", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("yue-HK", "yue"),
        ("nb-NO", "no"),
        ("nn-NO", "nn"),
        ("iw", "he"),
        ("in", "id"),
        ("ji", "yi"),
        ("jv", "jw"),
        ("mo", "ro"),
        ("fil", "tl"),
        ("eng", "en"),
        ("deu", "de"),
        ("heb", "he"),
        ("jav", "jw"),
        ("nob", "no"),
        ("en-US-x-private", "en"),
    ],
)
def test_a_tag_becomes_the_code_of_whisper(tag: str, code: str) -> None:
    assert whisper_language(tag) == code


@pytest.mark.parametrize("tag", [None, "", "-", "und", "mul", "zxx", "x-klingon", "tlh", "english", "e", "12", "ik"])
def test_a_language_that_whisper_does_not_know_is_left_to_be_found_out(tag: str | None) -> None:
    assert whisper_language(tag) is None
