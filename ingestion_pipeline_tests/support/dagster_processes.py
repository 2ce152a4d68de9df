"""Dagster's webserver and daemon as a service manager runs them, and somebody who kills what belongs to them."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ingestion_pipeline.cli.session import Session, shipped
from ingestion_pipeline.databases import child_environment
from ingestion_pipeline.defs.launcher import PROCESS_TAG
from ingestion_pipeline.private_folders import socket_folder
from ingestion_pipeline_tests.support.dagster_ui import DagsterUI
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until

STARTED = "{ runsOrError(filter: {statuses: [STARTED]}) { ... on Runs { results { tags { key value } } } } }"


class Dagster:
    """Webserver and daemon; whoever of them is killed is started again, as a service manager does."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._workspace = str(shipped("workspace.yaml"))
        self.ui = DagsterUI(f"http://127.0.0.1:{port}")
        self._webserver = self._start("dagster_webserver", "-w", self._workspace, "-p", str(port))
        self.start_daemon()
        wait_until(lambda: _listens(port))
        self.ui.wait_until_loaded()

    def start_daemon(self) -> None:
        self.daemon = self._start("dagster._daemon", "run", "-w", self._workspace)

    def kill_daemon(self) -> None:
        """Kill it, wait for its end, and start another."""
        self.daemon.kill()
        self.daemon.wait()
        self.start_daemon()

    def end(self) -> None:
        for process in (self.daemon, self._webserver):
            process.send_signal(signal.SIGINT)
            process.wait()

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self._folder / "dagster.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )


@contextmanager
def dagster(installation: Installation) -> Iterator[Dagster]:
    """Give a webserver and a daemon for the settings of an installation."""
    session = Session(str(installation.folder / ".env"), data_dir=installation.folder / "data")
    running = Dagster(installation.folder, installation.environment | child_environment(session.settings))
    try:
        yield running
    finally:
        running.end()


class Killer:
    """Kills the model server, a run or the daemon, drawn from a seed."""

    def __init__(self, dagster: Dagster, folder: Path, seed: int = 7) -> None:
        self._dagster, self._rng = dagster, random.Random(seed)
        self._sockets = str(socket_folder(folder / "data/model-server"))
        self.killed: list[str] = []

    def kill(self) -> None:
        """Kill one of them; what does not run at the moment is not killed."""
        self.kill_a(self._rng.choice(["server", "run", "run", "daemon"]))

    def kill_a(self, kind: str) -> None:
        """Kill a server, run or daemon, where there is one."""
        if kind == "daemon":
            self._dagster.kill_daemon()
        elif victims := self._servers() if kind == "server" else self.runs():
            os.kill(self._rng.choice(victims), signal.SIGKILL)
        else:
            return
        self.killed.append(kind)

    def _servers(self) -> list[int]:
        return [
            one.pid for one in psutil.process_iter(["cmdline"]) if self._sockets in " ".join(one.info["cmdline"] or [])
        ]

    def runs(self) -> list[int]:
        """Return the processes of runs, by the tags that the launcher's forks give them."""
        started = self._dagster.ui.ask(STARTED)["runsOrError"]["results"]
        tags = [tag["value"] for run in started for tag in run["tags"] if tag["key"] == PROCESS_TAG]
        pids = [int(address.split()[1]) for address in tags]
        return [pid for pid in pids if psutil.pid_exists(pid)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
