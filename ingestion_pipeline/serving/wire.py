"""What crosses the wire: OpenAI's forms with our additions, written and read in one place."""

import json
from dataclasses import asdict
from typing import Any

from ingestion_pipeline import errors
from ingestion_pipeline.records import Segment, Transcript, Word

ERRORS: dict[str, tuple[type[errors.IngestionError], int]] = {
    "invalid_request": (errors.Permanent, 400),
    "invalid_api_key": (errors.NoAccessToModelServer, 401),
    "model_not_found": (errors.ModelUnknown, 404),
    "too_large": (errors.TooLarge, 413),
    "model_fault": (errors.ModelFault, 500),
    "queue_full": (errors.QueueFull, 503),
    "leaving": (errors.ModelServerLeaves, 503),
    "transient": (errors.Transient, 500),
}
"""Code of OpenAI's error form, the error that it stands for, and its HTTP status."""


def status_of(error: errors.IngestionError) -> int:
    """Return the HTTP status of an error."""
    return ERRORS[_code_of(error)][1]


def error_form(error: errors.IngestionError) -> dict[str, object]:
    """Return an error as the API has it; `what` and `remedy` are an addition."""
    kind = "invalid_request_error" if status_of(error) < 500 else "server_error"
    code = _code_of(error)
    added = {"what": error.what, "remedy": error.remedy}
    return {"error": {"message": str(error), "type": kind, "param": None, "code": code, **added}}


def error_of(status: int, body: bytes) -> errors.IngestionError:
    """Return the error that a response stands for."""
    try:
        form = json.loads(body)["error"]
        kind = ERRORS[form["code"]][0]
        return kind(form.get("what") or form["message"], form.get("remedy") or "")
    except (ValueError, KeyError, TypeError):
        said = body.decode(errors="replace")[:200]
        return errors.ModelServerFault(f"The model server answered {status}: {said}", "Is this a model server of ours?")


def verbose(transcript: Transcript, *, segments: bool = True, words: bool = False) -> dict[str, Any]:
    """Return a transcript as `verbose_json`; `speech`, `decoded_again` and `left_out` are an addition, times in s."""
    form: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": transcript.duration_s,
        "text": transcript.text,
        "speech": transcript.speech_s,
        "decoded_again": transcript.decoded_again,
        "left_out": transcript.left_out_s,
    }
    if segments:
        form["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript.segments)]
    if words:
        form["words"] = [_word(word) for segment in transcript.segments for word in segment.words]
    return form


def transcript_of(form: dict[str, Any], model: str) -> Transcript:
    """Return the transcript that `verbose` was given."""
    return Transcript(
        language=form["language"],
        duration_s=form["duration"],
        speech_s=form["speech"],
        segments=[_read_segment(one) for one in form["segments"]],
        model=model,
        decoded_again=form["decoded_again"],
        left_out_s=form["left_out"],
    )


def _code_of(error: errors.IngestionError) -> str:
    """Return the code of the nearest class."""
    codes = {kind: code for code, (kind, _) in ERRORS.items()}
    return next((codes[kind] for kind in type(error).mro() if kind in codes), "transient")


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """Return a segment; the API also has the tokens and the place of a window, which ours does not keep."""
    fields = asdict(segment)
    del fields["words"]
    return {"id": number, "seek": 0, "tokens": [], **fields}


def _read_segment(form: dict[str, Any]) -> Segment:
    return Segment(**{name: value for name, value in form.items() if name not in {"id", "seek", "tokens"}})


def _word(word: Word) -> dict[str, Any]:
    return {"word": word.text, "start": word.start, "end": word.end, "probability": word.probability}
