"""What crosses the wire comes out as it went in."""

import json

import pytest

from ingestion_pipeline import errors
from ingestion_pipeline.records import Segment, Transcript
from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.serving.wire import ERRORS, error_form, error_of, status_of, transcript_of, verbose
from ingestion_pipeline.speech.recogniser import WhisperConfig

TRANSCRIPT = Transcript(
    "en", 12.5, 10.0, [Segment(0.0, 2.5, "Bees make honey.", -0.2, 1.1, 0.01, 0.4)], "demo-en", "", 2, 1.5
)


def test_a_transcript() -> None:
    assert transcript_of(json.loads(json.dumps(verbose(TRANSCRIPT))), "demo-en") == TRANSCRIPT


@pytest.mark.parametrize("code", ERRORS)
def test_an_error(code: str) -> None:
    kind, status = ERRORS[code]
    error = kind("It failed.", "Mend it.")
    sent = error_form(error)
    assert sent["error"]["code"] == code  # type: ignore[index]
    back = error_of(status, json.dumps(sent).encode())
    assert (type(back), back.what, back.remedy) == (kind, "It failed.", "Mend it.")
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PrivateAddress("x"), "invalid_request"),
        (errors.NeedsAccess("x"), "transient"),
        (errors.EnvironmentFault("x"), "transient"),
    ],
)
def test_an_error_without_a_code_of_its_own_takes_that_of_its_kind(error: errors.IngestionError, code: str) -> None:
    assert error_form(error)["error"]["code"] == code  # type: ignore[index]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"code": "new", "message": "x"}}'])
def test_an_answer_of_another_server_is_a_fault_of_it(body: bytes) -> None:
    assert isinstance(error_of(502, body), errors.ModelServerFault)


def test_a_configuration_and_its_name() -> None:
    config = ServerConfig(WhisperConfig("demo-en", "cpu", "int8", 2, 3, 4), 5.0)
    assert ServerConfig.from_json(config.to_json()) == config
    assert config.name == ServerConfig(WhisperConfig("demo-en", "cpu", "int8", 2, 3, 4), 5.0).name
    assert config.name != ServerConfig(WhisperConfig("demo-en", "cpu", "int8", 2, 3, 8), 5.0).name
