"""When a running model server is still the one that is wanted."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.speech.recogniser import WhisperConfig


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    (tmp_path / "model.bin").write_bytes(b"some weights")
    return ServerConfig(WhisperConfig(str(tmp_path), "cpu"))


def test_a_configuration_that_was_sent_to_a_server_is_the_same(config: ServerConfig) -> None:
    assert ServerConfig.from_json(config.to_json()) == config


def test_another_configuration_has_another_server(config: ServerConfig) -> None:
    assert replace(config, whisper=replace(config.whisper, parallel=2)).name != config.name


def test_other_weights_in_the_same_folder_have_another_server(config: ServerConfig, tmp_path: Path) -> None:
    before = config.name
    assert config.name == before
    (tmp_path / "model.bin").write_bytes(b"other weights")
    assert config.name != before
