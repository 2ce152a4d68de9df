"""`ingest serve`: the model server by hand, for this machine, and for others that are pointed at it."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.embedding.embedder import MINILM
from ingestion_pipeline.serving.connection import Address
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import loads, metric
from ingestion_pipeline_tests.support.passages import have_passages
from ingestion_pipeline_tests.support.web import Site

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path: Path, database: Database) -> Installation:
    installation = Installation(tmp_path)
    installation.environment |= {
        "DATABASE_URL": database.url,
        "WHISPER_MODEL": "demo-en",
        "WHISPER_DEVICE": "cpu",
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }
    return installation


@contextmanager
def serving(installation: Installation, *arguments: str) -> Iterator[str]:
    """Give the address that `ingest serve` prints; press Ctrl-C at the end."""
    with installation.start("serve", *arguments, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def test_by_hand_it_serves_this_machine_and_a_second_one_is_refused(here: Installation, database: Database) -> None:
    have_passages(database, MINILM, videos=1, dimensions=384)
    with serving(here) as place:
        second = here.run("serve")
        assert (second.returncode, second.stdout) == (1, "")
        assert "error: A model server with these settings runs already. See " in second.stderr
        assert here.run("search", "passage").returncode == 0
        assert loads(Address(place)) == {MINILM: 1}
    assert here.processes() == []


def test_a_machine_that_is_pointed_at_it_sends_its_audio_there(here: Installation, site: Site) -> None:
    here.environment["MODEL_SERVER_API_KEY"] = "secret"
    with serving(here, "--host", "127.0.0.1", "--port", free_port()) as url:
        here.environment["MODEL_SERVER_URL"] = url
        (added,) = here.json("add", site.add("/bees.opus", EPISODES[0].read_bytes(), "audio/ogg"))
        (ran,) = here.json("run", added["video"])
        assert ran["failure"] is None
        assert here.json("search", "honey of the bees")[0]["video"] == added["video"]
        assert metric(Address(url, "secret"), "audio_seconds_total") > 40
        assert f"{url} answers" in [check["found"] for check in here.json("doctor")]
    assert not (here.folder / "data/model-server").exists(), "no server of its own"
    gone = here.run("run", added["video"], "--force")
    assert gone.returncode == 1
    assert f"Nobody answers at {url}" in gone.stderr
    assert "See MODEL_SERVER_URL." in gone.stderr


def test_where_it_cannot_listen_it_says_why(here: Installation) -> None:
    open_to_all = here.run("serve", "--host", "0.0.0.0")
    assert open_to_all.returncode == 1
    assert open_to_all.stderr.splitlines()[-1].startswith(
        "error: Without an API key 0.0.0.0 is not served. Set MODEL_S"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = here.run("serve", "--host", "127.0.0.1", "--port", str(port))
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in refused.stderr
