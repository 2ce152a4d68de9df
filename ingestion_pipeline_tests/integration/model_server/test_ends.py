"""How a model server ends, and what becomes of those whom it serves: idle, killed, terminated, broken, given up."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion_pipeline.errors import ModelServerFault, Permanent
from ingestion_pipeline.records import Audio
from ingestion_pipeline.serving.client import ModelServer, ServedWhisper
from ingestion_pipeline.serving.config import ServerConfig, this_version
from ingestion_pipeline.serving.connection import Address
from ingestion_pipeline.serving.startup import LocalServer
from ingestion_pipeline.serving.wire import error_form
from ingestion_pipeline_tests.support.model_servers import (
    DEMO,
    EPISODE,
    begun,
    cutting,
    metric,
    model_server,
    pid_of,
    tcp_server,
    transcribed,
    wait_until,
    wait_until_gone,
)
from ingestion_pipeline_tests.support.web import Site


def test_it_ends_when_nobody_asks_and_leaves_no_socket(tmp_path: Path) -> None:
    with model_server(tmp_path, idle_s=0.5) as server:
        address = server.address()
        assert address.socket_path is not None
        wait_until_gone(pid_of(address))
        assert not address.socket_path.parent.exists()
        assert transcribed(server).transcript.text


def test_killed_in_the_middle_it_is_started_again_and_the_run_goes_on(server: ModelServer, long: Audio) -> None:
    lines: list[str] = []
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(transcribed, server, long, lines)
        wait_until(lambda: begun(server.address()))
        os.kill(pid_of(server.address()), signal.SIGKILL)
        transcript = run.result(120).transcript
    assert transcript.duration_s == pytest.approx(long.duration_s, abs=0.1)
    assert any("another one is asked" in line for line in lines)


def test_an_audio_on_which_it_breaks_down_twice_fails_and_says_so(server: ModelServer, long: Audio) -> None:
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(transcribed, server, long)
        for _ in range(2):
            wait_until(lambda: LocalServer(server.config, server.folder).running() and begun(server.address()))
            os.kill(pid_of(server.address()), signal.SIGKILL)
        with pytest.raises(Permanent, match="broke down twice while it transcribed video v1"):
            run.result(120)
    assert transcribed(server).transcript.text


def test_a_connection_that_is_cut_is_no_breakdown_of_the_server(tmp_path: Path, long: Audio) -> None:
    lines: list[str] = []
    with tcp_server() as address, cutting(address, 3) as url:
        found = transcribed(ModelServer(ServerConfig(DEMO), tmp_path, url), long, lines)
    assert found.transcript.duration_s == pytest.approx(long.duration_s, abs=0.1)
    assert sum("another one is asked" in line for line in lines) == 3


def test_a_run_that_waits_does_not_answer_for_a_breakdown(server: ModelServer, long: Audio) -> None:
    with ThreadPoolExecutor(2) as threads:
        at_work = threads.submit(transcribed, server, long)
        wait_until(lambda: begun(server.address()))
        waits = threads.submit(transcribed, server)
        wait_until(lambda: metric(server.address(), "videos_waiting") == 1)
        os.kill(pid_of(server.address()), signal.SIGKILL)
        assert at_work.result(120).transcript.segments
        assert waits.result(120).transcript.text


def test_a_run_may_wait_while_others_break_one_server_after_the_other(tmp_path: Path, site: Site) -> None:
    site.add("/healthz", json.dumps({"version": this_version(), "pid": 1}), "application/json")
    event = {"type": "transcript.progress", "message": "3 videos wait", "figures": {"videos_active": 1}}
    site.add("/v1/audio/transcriptions", f"data: {json.dumps(event)}\n\n", "text/event-stream")
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if sum("another one is asked" in line for line in lines) == 20:
            event = error_form(Permanent("Now it is its turn."))
            site.add("/v1/audio/transcriptions", f"data: {json.dumps(event)}\n\n", "text/event-stream")

    with pytest.raises(Permanent, match="Now it is its turn"):
        ServedWhisper(ModelServer(ServerConfig(DEMO), tmp_path, site.url)).transcribe("v1", EPISODE, "en", log)


def test_a_server_elsewhere_that_broke_down_is_waited_for(tmp_path: Path, site: Site) -> None:
    site.add("/healthz", json.dumps({"version": this_version(), "pid": 1}), "application/json")
    left = [2]

    def answer_the_third_alone(_path: str) -> None:
        if left[0]:
            left[0] -= 1
            raise ConnectionResetError

    site.before_answer = answer_the_third_alone
    server = ModelServer(ServerConfig(DEMO), tmp_path, site.url)
    with pytest.raises(ModelServerFault, match="Nobody answers"):
        server.address()
    assert server.address(patience_s=60).url == site.url
    assert left == [0]


def test_what_is_no_model_server_is_named(tmp_path: Path, site: Site) -> None:
    site.add("/healthz", "<html>Dagster</html>", "text/html")
    with pytest.raises(ModelServerFault, match=f"{site.url} is no model server of ours. See MODEL_SERVER_URL"):
        transcribed(ModelServer(ServerConfig(DEMO), tmp_path, site.url))


AT_WORK = [
    {"type": "transcript.began", "warnings": []},
    {"type": "transcript.progress", "message": "10 s", "figures": {"videos_active": 1}},
]


@pytest.mark.parametrize("events", [[], AT_WORK], ids=["at once", "at work"])
def test_a_server_that_goes_again_and_again_is_given_up(tmp_path: Path, site: Site, events: list[object]) -> None:
    site.add("/healthz", json.dumps({"version": this_version(), "pid": 1}), "application/json")
    said = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    site.add("/v1/audio/transcriptions", said, "text/event-stream")
    with pytest.raises(ModelServerFault, match="went away 5 times"):
        transcribed(ModelServer(ServerConfig(DEMO), tmp_path, site.url))


def test_at_sigterm_it_finishes_what_it_began_and_who_waits_gets_another(server: ModelServer, long: Audio) -> None:
    with ThreadPoolExecutor(2) as threads:
        first = server.address()
        pid, lines = pid_of(first), list[str]()
        at_work = threads.submit(transcribed, server, long, lines)
        wait_until(lambda: begun(first))
        waits = threads.submit(transcribed, server)
        wait_until(lambda: metric(first, "videos_waiting") == 1)
        os.kill(pid, signal.SIGTERM)
        assert waits.result(120).transcript.text
        assert at_work.result(120).transcript.duration_s == pytest.approx(long.duration_s, abs=0.1)
        assert not any("another one is asked" in line for line in lines)
    assert pid_of(server.address()) != pid
    wait_until_gone(pid)


def test_at_sigterm_what_takes_too_long_is_given_up(tmp_path: Path, long: Audio) -> None:
    with tcp_server(last_s=1) as address, ThreadPoolExecutor(1) as threads:
        server = ModelServer(ServerConfig(DEMO), tmp_path, address.url, restarted_s=0)
        at_work = threads.submit(transcribed, server, long)
        wait_until(lambda: begun(address))
        pid = pid_of(address)
        os.kill(pid, signal.SIGTERM)
        with pytest.raises(ModelServerFault, match="Nobody answers"):
            at_work.result(60)
        wait_until_gone(pid)


def test_at_sigterm_it_does_not_wait_for_a_model_that_does_not_load(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.bin")  # nobody ever writes to it
    config, lines = ServerConfig(replace(DEMO, model=str(tmp_path))), list[str]()
    with tcp_server(last_s=1, model=str(tmp_path)) as address, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(transcribed, ModelServer(config, tmp_path, address.url), EPISODE, lines)
        pid = pid_of(address)
        wait_until(lambda: any("the model loads" in line for line in lines))
        os.kill(pid, signal.SIGTERM)
        with pytest.raises(ModelServerFault, match="Nobody answers"):
            asked.result(60)
        wait_until_gone(pid)


def test_a_server_whose_gpu_has_failed_makes_way_for_another(tmp_path: Path) -> None:
    lines: list[str] = []
    with tcp_server(lost_gpu=True) as address:
        pid = pid_of(address)
        with pytest.raises(ModelServerFault, match="Nobody answers"):
            transcribed(ModelServer(ServerConfig(DEMO), tmp_path, address.url), EPISODE, lines)
        wait_until_gone(pid)
    assert any("another one is asked" in line for line in lines)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_who_goes_away_cancels_the_work(server: ModelServer, long: Audio, stream: str) -> None:
    address = server.address()
    with started_client(address, long, stream) as client:
        wait_until(lambda: begun(address))
        client.kill()
    wait_until(lambda: metric(address, "videos_active") == 0)
    assert metric(address, "audio_seconds_total") == 0


def started_client(address: Address, audio: Audio, stream: str) -> "subprocess.Popen[bytes]":
    code = (
        "import sys; from pathlib import Path; from ingestion_pipeline.serving.connection import Address;"
        "from urllib.parse import urlencode;"
        "form = {'model': 'demo-en', 'path': sys.argv[2], 'language': 'en', 'stream': sys.argv[3]};"
        "sent = Address(sys.argv[1]).request('POST', '/v1/audio/transcriptions', urlencode(form).encode(),"
        " {'Content-Type': 'application/x-www-form-urlencoded'});"
        "sent.__enter__().read()"
    )
    return subprocess.Popen([sys.executable, "-c", code, address.url, str(audio.path), stream])
