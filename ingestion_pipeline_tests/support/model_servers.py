"""Model servers of the demonstration model, in processes of their own, ended with the test."""

import json
import re
import signal
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import psutil

from ingestion_pipeline.audio.files import describe
from ingestion_pipeline.audio.probe import probe
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.records import Audio
from ingestion_pipeline.serving.client import ModelServer, ServedWhisper
from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.serving.connection import Address
from ingestion_pipeline.speech.recogniser import Recognition, WhisperConfig

DEMO = WhisperConfig("demo-en", "cpu", "int8", parallel=1, videos=1)


def audio_of(path: Path) -> Audio:
    """Return what a download would have noted of a file."""
    return describe(path, probe(path))


EPISODE = audio_of(EPISODES[0])


@contextmanager
def model_server(folder: Path, whisper: WhisperConfig = DEMO, idle_s: float = 60) -> Iterator[ModelServer]:
    """Give a server that starts when it is asked; at the end it is ended."""
    server = ModelServer(ServerConfig(whisper, idle_s), folder)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def tcp_server(
    *,
    key: str | None = None,
    upload_bytes: int = 10**9,
    queue: int = 8,
    last_s: int = 120,
    model: str = "demo-en",
    lost_gpu: bool = False,
) -> Iterator[Address]:
    """Give the address of a server on loopback; one with a `lost_gpu` fails at the first chunk, as CTranslate2 does."""
    limits = json.dumps({"key": key, "upload_bytes": upload_bytes, "queue": queue, "last_s": last_s})
    command = [
        sys.executable,
        str(Path(__file__).with_name("tcp_model_server.py")),
        limits,
        model,
        *(["lost"] if lost_gpu else []),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield Address(process.stdout.readline().strip(), key)
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def cutting(server: Address, times: int) -> Iterator[str]:
    """Give a link to a server through a network that cuts so many connections once a transcription has begun."""
    host, port = urlsplit(server.url).netloc.split(":")
    left = [times]

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as upstream:
                Thread(target=_forward, args=(self.request, upstream), daemon=True).start()
                while data := upstream.recv(1 << 16):
                    self.request.sendall(data)
                    if b"transcript.began" in data and left[0]:
                        left[0] -= 1
                        return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        Thread(target=relay.serve_forever).start()
        yield f"http://127.0.0.1:{relay.server_address[1]}"
        relay.shutdown()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


def transcribed(server: ModelServer, audio: Audio = EPISODE, lines: list[str] | None = None) -> Recognition:
    return ServedWhisper(server).transcribe("v1", audio, "en", (lines if lines is not None else []).append)


def begun(address: Address) -> bool:
    return metric(address, "chunks_total") > 0


def pid_of(address: Address) -> int:
    return int(address.ask("GET", "/healthz")["pid"])


def metric(address: Address, name: str) -> float:
    with address.request("GET", "/metrics") as response:
        found = re.search(rf"^ingest_{name} (\S+)$", response.read().decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def loads(address: Address) -> dict[str, int]:
    """Return how many times each model was loaded."""
    with address.request("GET", "/metrics") as response:
        found = re.findall(r'^ingest_model_loads_total\{model="(.*)"\} (\S+)$', response.read().decode(), re.MULTILINE)
    return {model: int(float(count)) for model, count in found}


def wait_until(holds: Callable[[], bool], patience_s: float = 60) -> None:
    """Look again and again; fail where it never holds."""
    ends = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < ends, "it never came to pass"
        time.sleep(0.02)


def wait_until_gone(pid: int) -> None:
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=60)
    assert not psutil.pid_exists(pid)
