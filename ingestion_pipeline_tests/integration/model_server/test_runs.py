"""The model server as the runs of a backfill meet it: started by one of many, shared, killed, full, gone."""

import json
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder, weights_of
from ingestion_pipeline.errors import (
    ModelFault,
    ModelServerFault,
    NoAccessToModelServer,
    Permanent,
    QueueFull,
    TooLarge,
    Transient,
)
from ingestion_pipeline.records import Audio
from ingestion_pipeline.serving.client import ModelServer, ServedEmbedder, ServedWhisper
from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.speech.recogniser import InProcessWhisper
from ingestion_pipeline_tests.support.model_servers import (
    DEMO,
    EPISODE,
    audio_of,
    begun,
    loads,
    metric,
    model_server,
    pid_of,
    tcp_server,
    transcribed,
    wait_until,
)
from ingestion_pipeline_tests.support.recordings import episode, write_audio
from ingestion_pipeline_tests.support.web import Site

CONFIG = ServerConfig(DEMO)


def test_a_served_transcript_is_that_of_the_engine_in_this_process(server: ModelServer) -> None:
    served = transcribed(server)
    here = InProcessWhisper(DEMO).transcribe("v1", EPISODE, "en", print)
    assert served.transcript == here.transcript
    assert served.work_s > 0
    assert {"wait_seconds", "cpu_mean_cores", "memory_peak_mb"} <= set(served.usage)


def test_served_vectors_are_those_of_the_library_in_this_process(server: ModelServer) -> None:
    served, here = ServedEmbedder(server, MINILM), InProcessEmbedder(MINILM)
    texts = [f"the bees of hive {number}" for number in range(700)]
    np.testing.assert_allclose(served.documents(texts), here.documents(texts), atol=1e-5)
    np.testing.assert_allclose(served.query("who makes honey"), here.query("who makes honey"), atol=1e-5)
    assert served.documents([]).shape == (0, served.dimensions) == (0, 384)
    assert metric(server.address(), "embedded_texts_total") > len(texts)
    assert metric(server.address(), "embedding_batches_total") > 1


def test_what_takes_long_to_import_is_there_before_the_first_video_is_decoded(server: ModelServer) -> None:
    transcribed(server)
    assert "libtorch" in Path(f"/proc/{pid_of(server.address())}/maps").read_text()
    assert set(loads(server.address())) == {"demo-en"}, "the embedding model loads when first asked for"


def test_two_embedding_models_serve_at_once_and_every_run_gets_its_own_vectors(server: ModelServer) -> None:
    folder, here = str(weights_of(MINILM)), InProcessEmbedder(MINILM)
    asked = [(model, [f"bees {number}", f"hive {number}"]) for number in range(6) for model in (MINILM, folder)]
    with ThreadPoolExecutor(len(asked)) as threads:
        found = list(threads.map(lambda one: ServedEmbedder(server, one[0]).documents(one[1]), asked))
    for (_, texts), vectors in zip(asked, found, strict=True):
        np.testing.assert_allclose(vectors, here.documents(texts), atol=1e-5)
    assert loads(server.address()) == {MINILM: 1, folder: 1}


def test_of_many_that_need_a_server_one_starts_it_and_both_models_load_once(server: ModelServer) -> None:
    embedder = ServedEmbedder(server, MINILM)
    with ThreadPoolExecutor(12) as threads:
        texts = list(threads.map(lambda _: transcribed(server).transcript.text, range(6)))
        list(threads.map(embedder.query, texts))
    assert len(set(texts)) == 1
    [log] = server.folder.glob("*.log")
    assert log.read_text().count("Started server process") == 1
    assert list(loads(server.address()).values()) == [1, 1]


def test_what_it_did_stands_in_its_metrics(server: ModelServer) -> None:
    transcribed(server)
    address = server.address()
    assert metric(address, "chunks_total") == 2
    assert 1 <= metric(address, "batch_fill") <= 2
    assert metric(address, "audio_seconds_total") == pytest.approx(EPISODE.duration_s, abs=0.1)
    assert metric(address, "rtfx") > 1
    assert min(metric(address, f"{name}_total") for name in ("decode_busy_seconds", "active_seconds")) > 0
    assert metric(address, "resident_memory_bytes") > 1e7
    idle = ("videos_waiting", "videos_active", "chunks_ready", "chunks_decoded_again_total")
    assert [metric(address, name) for name in idle] == [0, 0, 0, 0]


def test_only_this_user_reaches_it(server: ModelServer) -> None:
    path = server.address().socket_path
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_it_warns_of_stands_in_the_log_of_one_run(tmp_path: Path) -> None:
    cores = joblib.cpu_count()
    lines: list[str] = []
    with model_server(tmp_path, replace(DEMO, parallel=cores + 1)) as server:
        for _ in range(2):
            transcribed(server, lines=lines)
    [warning] = [line for line in lines if line.startswith("model server: ")]
    assert warning.startswith(f"model server: {cores + 1} decode workers on {cores} cores")


def test_it_lives_in_a_session_of_its_own(server: ModelServer) -> None:
    assert os.getsid(pid_of(server.address())) != os.getsid(0)


def test_another_configuration_gets_another_server(server: ModelServer) -> None:
    with model_server(server.folder, replace(DEMO, parallel=2)) as other:
        assert pid_of(server.address()) != pid_of(other.address())


def test_elsewhere_the_audio_is_sent_and_the_key_is_asked_for(tmp_path: Path) -> None:
    with tcp_server(key="secret", upload_bytes=EPISODE.size + 2000) as address:
        away = ModelServer(CONFIG, tmp_path, address.url, "secret")
        here = InProcessWhisper(DEMO).transcribe("v1", EPISODE, "en", print)
        assert transcribed(away).transcript == here.transcript
        with pytest.raises(NoAccessToModelServer, match="API key is missing or wrong"):
            transcribed(replace(away, key="wrong"))
        large = write_audio(tmp_path / "large.wav", episode())
        with pytest.raises(TooLarge, match="MAX_AUDIO_MB"):
            transcribed(away, audio_of(large))


def test_a_full_queue_is_said_to_be_full(tmp_path: Path, long: Audio) -> None:
    with tcp_server(queue=1) as address, ThreadPoolExecutor(1) as threads:
        away = ModelServer(CONFIG, tmp_path, address.url)
        at_work = threads.submit(transcribed, away, long)
        wait_until(lambda: begun(address))
        with pytest.raises(QueueFull, match="1 requests wait"):
            transcribed(away)
        assert at_work.result(120).transcript.segments


def test_another_model_is_refused(tmp_path: Path) -> None:
    with tcp_server() as address:
        config = replace(CONFIG, whisper=replace(DEMO, model="small"))
        with pytest.raises(ModelFault, match="This server has the model demo-en, not small"):
            transcribed(ModelServer(config, tmp_path, address.url))


def test_a_model_that_is_not_there_and_bad_audio_are_told_apart(tmp_path: Path, server: ModelServer) -> None:
    (tmp_path / "page.mp3").write_text("<html>")
    with pytest.raises(Permanent, match="The audio of video v1 cannot be decoded"):
        transcribed(server, replace(EPISODE, path=tmp_path / "page.mp3"))
    with pytest.raises(Transient, match=r"The audio of video v1 cannot be read: .*No such file"):
        transcribed(server, replace(EPISODE, path=tmp_path / "unplugged.mp3"))
    with (
        model_server(server.folder, replace(DEMO, model="/no/such/model")) as other,
        pytest.raises(ModelFault, match="/no/such/model cannot be loaded"),
    ):
        transcribed(other)
    with pytest.raises(ModelFault, match="/no/such"):
        ServedEmbedder(server, "/no/such").query("who")


def test_an_english_model_refuses_german(server: ModelServer) -> None:
    with pytest.raises(Permanent, match="knows only English"):
        ServedWhisper(server).transcribe("v1", EPISODE, "de", print)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (300_000_000, 300_000_000))
from pathlib import Path
from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.serving.startup import LocalServer
from ingestion_pipeline.speech.recogniser import WhisperConfig
LocalServer(ServerConfig(WhisperConfig("demo-en", "cpu")), Path({str(tmp_path)!r})).have()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ModelServerFault: The model server did not start: " in done.stderr
    assert f"See {tmp_path}" in done.stderr
    (tmp_path / "file").touch()
    with pytest.raises(ModelServerFault, match="cannot be started"):
        ModelServer(CONFIG, tmp_path / "file").address()


def test_nobody_there_and_another_version_are_told_apart(tmp_path: Path, site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ModelServerFault, match=f"Nobody answers at {url}"):
        ModelServer(CONFIG, tmp_path, url).address()
    url = site.add("/healthz", json.dumps({"version": "0.0.1"}), "application/json").removesuffix("/healthz")
    with pytest.raises(ModelServerFault, match=r"has version 0\.0\.1, this is"):
        ModelServer(CONFIG, tmp_path, url).address()
    with pytest.raises(ModelServerFault, match="not the address of a model server"):
        ModelServer(CONFIG, tmp_path, "localhost:8008").address()
