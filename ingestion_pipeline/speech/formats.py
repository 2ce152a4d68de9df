"""Transcripts as files: SRT, WebVTT, plain text, JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ingestion_pipeline.records import Transcript


def to_srt(transcript: Transcript) -> str:
    """Return SubRip text."""
    return "\n".join(
        f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{_cue(segment.text)}\n"
        for number, segment in enumerate(transcript.segments, 1)
    )


def to_vtt(transcript: Transcript) -> str:
    """Return WebVTT text (https://www.w3.org/TR/webvtt1/)."""
    cues = (
        f"\n{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{_escaped(_cue(segment.text))}\n"
        for segment in transcript.segments
    )
    return "WEBVTT\n" + "".join(cues)


def to_txt(transcript: Transcript) -> str:
    """Return one segment to a line."""
    return "".join(f"{segment.text}\n" for segment in transcript.segments)


def to_json(transcript: Transcript) -> str:
    """Return all that is known, times in seconds; words only where there are any."""
    return json.dumps(asdict(transcript, dict_factory=_without_no_words), ensure_ascii=False, indent=2) + "\n"


FORMATS: dict[str, Callable[[Transcript], str]] = {"srt": to_srt, "vtt": to_vtt, "txt": to_txt, "json": to_json}


def _without_no_words(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if name != "words" or value}


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _cue(text: str) -> str:
    """Return the text of a cue: neither an arrow nor an empty line may stand in it."""
    return " ".join(text.split()).replace("-->", "→")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
