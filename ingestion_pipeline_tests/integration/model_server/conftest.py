"""A model server of each test's own, and an audio during which something can happen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ingestion_pipeline.records import Audio
from ingestion_pipeline.serving.client import ModelServer
from ingestion_pipeline_tests.support.model_servers import audio_of, model_server
from ingestion_pipeline_tests.support.recordings import episode, write_audio


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    with model_server(tmp_path / "model-server") as server:
        yield server


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    """Give twelve minutes of speech."""
    return audio_of(write_audio(tmp_path_factory.mktemp("long") / "long.wav", np.tile(episode(), 15)))
