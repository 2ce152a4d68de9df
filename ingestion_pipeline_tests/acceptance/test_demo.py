"""`ingest demo` as a newcomer runs it: in a process of its own, in a folder with a space, twice."""

import json
import subprocess

import pytest

from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until

pytestmark = pytest.mark.slow

LAST_LINE = "demo: episodes=5 ingested=5 searches=3 found=3"


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("a newcomer's folder"))


@pytest.fixture(scope="module")
def first(newcomer: Installation) -> subprocess.CompletedProcess[str]:
    """Run it where the environment has settings for something else."""
    else_ = {"INGESTION_LIMIT": "1", "MODEL_SERVER_URL": "http://127.0.0.1:1", "EMBEDDING_MODEL": "/no/such"}
    before, newcomer.environment = newcomer.environment, newcomer.environment | else_
    done = newcomer.run("demo")
    newcomer.environment = before
    return done


def test_it_ingests_all_episodes_and_finds_each_moment(first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1] == LAST_LINE


def test_again_it_finds_everything_unchanged(newcomer: Installation, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0
    again = newcomer.run("demo")
    assert again.stdout.splitlines()[-1] == LAST_LINE
    assert again.stdout.count("unchanged") == 5


def test_the_commands_to_try_next_work(newcomer: Installation, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0
    printed = next(line for line in first.stdout.splitlines() if line.endswith("--json"))
    tried = subprocess.run(
        printed, shell=True, cwd=newcomer.folder, env=newcomer.environment, capture_output=True, text=True, check=False
    )
    found = json.loads(tried.stdout)
    assert found[0]["title"] == "The keeper of the lighthouse"
    exported = newcomer.run("--env", "data/demo/.env", "export", found[0]["video"], "--format", "srt")
    assert exported.stdout.startswith("1\n00:00:00,")
    status = newcomer.json("--env", "data/demo/.env", "db", "status")
    assert (status["server"], status["videos"], status["transcripts"]) == ("embedded", 5, 5)
    checked = newcomer.json("--env", "data/demo/.env", "doctor")
    assert [check for check in checked if check["remedy"]] == []


def test_nothing_is_left_running(newcomer: Installation, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0
    wait_until(lambda: newcomer.processes() == [])
