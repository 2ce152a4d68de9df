"""`ingest tune` on the demonstration's model: a table, a choice, and its settings in a file."""

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.settings import load_settings
from ingestion_pipeline.speech.recogniser import WhisperConfig
from ingestion_pipeline.tuning.measure import measure
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until

pytestmark = pytest.mark.slow
CHOSEN = ["WHISPER_DEVICE", "WHISPER_COMPUTE", "WHISPER_PARALLEL_MODELS", "WHISPER_BATCH", "ASR_WORKERS"]


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ASR_WORKERS="9")
    return installation


def test_it_measures_says_what_to_choose_and_writes_it(here: Installation) -> None:
    done = here.run("tune", "--minutes", "0.7", "--write", ".env")
    assert done.returncode == 0, done.stderr
    head, first, *_ = lines = done.stdout.splitlines()
    assert head.split() == ["models", "workers", "batch", "compute", "memory", "busy", "RTFx", "relative"]
    assert first.split()[3] == "int8"
    assert first.split()[-1] == "1.00"
    assert [line.partition("=")[0] for line in lines[-5:]] == CHOSEN
    assert lines[-6].startswith("It is ")
    written = (here.folder / ".env").read_text().splitlines()
    assert written == ["WHISPER_MODEL=demo-en", "# measured by `ingest tune`", *lines[-5:]]
    assert load_settings(here.folder / ".env").asr_workers < 9


def test_ended_early_it_reports_what_it_has(here: Installation) -> None:
    with here.start("tune", stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        head, first = process.stdout.readline(), process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        rest, errors = process.communicate()
    assert process.returncode == 0
    assert len(head.split()) == 8
    assert first.split()[-1] == "1.00"
    assert errors.strip() == "ended early"
    assert [line.partition("=")[0] for line in rest.splitlines()[-5:]] == CHOSEN


def test_where_nothing_works_it_says_why(here: Installation) -> None:
    here.set(WHISPER_MODEL="/no/such/model", WHISPER_DEVICE="cpu")
    done = here.run("tune", "--minutes", "0.1", "--write", "chosen.env")
    assert done.returncode == 1
    assert "error: Nothing worked: Whisper model /no/such/model cannot be loaded" in done.stderr
    assert not (here.folder / "chosen.env").exists()


def test_a_compute_type_that_another_one_stands_in_for_is_not_measured() -> None:
    found = measure(WhisperConfig("demo-en", "cpu", "float16"), [EPISODES[0]], patience_s=60)
    assert found.fault == "float16 does not work here, int8_float32 does."


def test_a_measurement_that_is_killed_says_so() -> None:
    with ThreadPoolExecutor(1) as threads:
        measuring = threads.submit(measure, WhisperConfig("demo-en", "cpu", "int8"), [EPISODES[0]], patience_s=60)
        wait_until(lambda: bool(_measuring()))
        _measuring()[0].kill()
        assert measuring.result().fault == "ended by SIGKILL"


def _measuring() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "ingestion_pipeline.tuning.measure" in child.cmdline()]


def test_json_has_each_measurement_and_the_choice(here: Installation) -> None:
    found = json.loads(here.run("tune", "--minutes", "0.4", "--json").stdout)
    assert list(found["chosen"]) == CHOSEN
    assert found["measured"][0]["rtfx"] > 1
    assert found["measured"][0]["memory_bytes"] > 1e7
