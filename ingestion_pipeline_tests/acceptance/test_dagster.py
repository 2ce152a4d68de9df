"""`ingest dev`: webserver and daemon as a person starts them, a backfill from the UI, and what is left afterwards."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline_tests.support.dagster_ui import DagsterUI, dev
from ingestion_pipeline_tests.support.installation import Installation

pytestmark = pytest.mark.slow
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with podcast() as feed:
        installation = Installation(tmp_path_factory.mktemp("dagster project"))
        installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true", IO_WORKERS="2")
        installation.list_sources(f"name: demo, feed: '{feed}'")
        yield installation


@pytest.fixture(scope="module")
def ui(installation: Installation) -> Iterator[DagsterUI]:
    with dev(installation) as (process, address):
        ui = DagsterUI(address)
        ui.wait_until_loaded()
        ui.stop("new_uploads")
        yield ui
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert installation.processes() == []


def test_a_backfill_of_all_episodes_from_the_ui(installation: Installation, ui: DagsterUI) -> None:
    found = installation.json("discover")
    assert found["new"] == 6  # type: ignore[index]
    keys = [video["video"] for video in installation.json("run", "--limit", "1")]  # type: ignore[attr-defined]
    assert len(keys) == 1
    partitions = ui.partitions("raw_audio")
    assert len(partitions) == 6
    assert ui.backfill(STEPS, partitions) == "COMPLETED_SUCCESS"
    assert ready_models(installation) == []
    status = installation.json("db", "status")
    assert (status["videos"], status["transcripts"]) == (6, 6)  # type: ignore[index]
    hits = installation.json("search", "a candle held the light")
    assert hits[0]["title"] == "The keeper of the lighthouse"  # type: ignore[index]
    assert len(list((installation.folder / "data/model-server").glob("*.log"))) == 1, "runs and search share a server"


def ready_models(installation: Installation) -> list[str]:
    """Return which processes of Dagster have a library for models in memory."""
    found = []
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        if (process.info["cwd"] or "").startswith(str(installation.folder)):
            mapped = Path(f"/proc/{process.pid}/maps").read_text()
            found += [f"{process.info['cmdline']}: {name}" for name in ("libtorch", "libctranslate2") if name in mapped]
    return found


def test_a_run_of_the_command_line_shows_and_can_be_executed_again(ui: DagsterUI) -> None:
    runs = [run for run in ui.runs() if run["jobName"] == "ingest_video"]
    assert runs[-1]["status"] == "SUCCESS"
    assert ui.execute_again(runs[-1]["runId"]) == "SUCCESS"


def test_a_terminal_that_is_closed_stops_all(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with dev(installation) as (process, _):
        process.send_signal(signal.SIGHUP)
        assert process.wait() == 130
    assert installation.processes() == []


def test_under_nohup_a_terminal_may_be_closed(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with dev(installation, hangup=signal.SIG_IGN) as (process, _):
        ignored = re.search(r"SigIgn:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 130
    assert ignored
    assert int(ignored[1], 16) & 1 << signal.SIGHUP - 1
    assert installation.processes() == []
