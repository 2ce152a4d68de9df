"""Transcripts as files: what players and programs expect."""

import json

from ingestion_pipeline.records import Segment, Transcript
from ingestion_pipeline.speech.formats import FORMATS

TRANSCRIPT = Transcript(
    "en",
    4000.0,
    10.0,
    [Segment(0.0, 2.4996, "Bread & <water>."), Segment(3661.5, 3662.0, "One --> two\n\nthree.")],
    "demo-en",
    "f1",
)


def test_srt() -> None:
    assert FORMATS["srt"](TRANSCRIPT) == (
        "1\n00:00:00,000 --> 00:00:02,500\nBread & <water>.\n\n2\n01:01:01,500 --> 01:01:02,000\nOne → two three.\n"
    )


def test_vtt_escapes_what_would_be_markup() -> None:
    assert FORMATS["vtt"](TRANSCRIPT) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nBread &amp; &lt;water>.\n"
        "\n01:01:01.500 --> 01:01:02.000\nOne → two three.\n"
    )


def test_txt_has_a_line_for_each_segment() -> None:
    assert FORMATS["txt"](TRANSCRIPT).splitlines()[0] == "Bread & <water>."


def test_json_holds_everything() -> None:
    read = json.loads(FORMATS["json"](TRANSCRIPT))
    assert Transcript(**{**read, "segments": [Segment(**part) for part in read["segments"]]}) == TRANSCRIPT


def test_no_speech_gives_valid_files() -> None:
    silent = Transcript("en", 1.0, 0.0, [], "demo-en")
    assert [FORMATS[name](silent) for name in ("srt", "vtt", "txt")] == ["", "WEBVTT\n", ""]
