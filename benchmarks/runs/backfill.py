"""`python -m benchmarks.runs.backfill JOB`: one backfill through webserver and daemon; prints what it took as JSON."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg
import psutil

from ingestion_pipeline.cli.code_server import WORKSPACE, answers, code_server_at, code_server_command, shut_down
from ingestion_pipeline.cli.ingestion import list_sources
from ingestion_pipeline.cli.session import Session, shipped
from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline.models import model_server
from ingestion_pipeline.serving.connection import Address
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.dagster_ui import BACKFILL, DagsterUI
from ingestion_pipeline_tests.support.model_servers import loads, metric

from . import ROOT
from .work import config_of

_STEPS = ("raw_audio", "transcripts", "segment_embeddings")
_ERRORS = """
query ($runId: ID!) {
  runOrError(runId: $runId) {
    ... on Run {
      eventConnection { events { ... on ExecutionStepFailureEvent { error { message causes { message } } } } }
    }
  }
}"""
_NAIVE = "load_from: [{python_module: {module_name: benchmarks.runs.naive, location_name: naive}}]\n"


@dataclass(frozen=True)
class Job:
    """Which model, which videos, and whether each step loads the model by itself."""

    model: str
    files: list[str]
    naive: bool


@dataclass(frozen=True)
class Cost:
    """What a backfill took: from the launch to the last row (s), and CPU seconds of runs and of all of Dagster.

    `longest_wait_s` is the longest for which a decode worker waited while a video did.
    """

    wall_s: float
    run_cpu_s: float
    dagster_cpu_s: float
    loads: int | None = None
    longest_wait_s: float | None = None
    server_memory_mb: float | None = None


def cost_of(job: Job) -> Cost:
    """Run the backfill in a folder of its own."""
    files = [Path(file) for file in job.files]
    with tempfile.TemporaryDirectory(prefix="bench-runs-") as name, podcast(files) as feed, ExitStack() as stack:
        folder = Path(name)
        os.environ["BENCH_MODEL"] = job.model
        os.environ["PYTHONPATH"] = str(ROOT)
        address = stack.enter_context(_fixed_server(job.model, folder)) if _needs_fixed_server(job) else None
        session = Session(str(_env_file(folder, job, feed, address)))
        path: Path | None = stack.enter_context(code_server_at(folder))
        workspace = shipped(WORKSPACE)
        if job.naive:
            workspace, path = folder / "workspace.yaml", None
            workspace.write_text(_NAIVE)
        with session.dagster() as instance, session.database() as database:
            list_sources(session)
            videos = list(instance.get_dynamic_partitions("videos"))
            with session.model_server_ended(), _dagster(folder, workspace, path) as (ui, processes):
                cost = _backfilled(ui, instance, processes, database, videos)
                if job.naive:
                    return cost
                return _with_figures_of(address or model_server(session.settings).address(), cost)


def _needs_fixed_server(job: Job) -> bool:
    return not job.naive and job.model != "demo-en"


def _backfilled(
    ui: DagsterUI, instance: dg.DagsterInstance, processes: list[psutil.Process], database: Database, videos: list[str]
) -> Cost:
    runs_before, all_before, began = *_cpu_s(processes), time.monotonic()
    params = {"assetSelection": [{"path": [step]} for step in _STEPS], "partitionNames": videos}
    ui.ask(BACKFILL, backfillParams=params)
    while _embedded(database) < len(videos):
        # Not by way of the webserver, whose CPU time is measured.
        if failed := instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
            raise RuntimeError(f"runs failed: {[_why(ui, run.run_id) for run in failed]}")
        time.sleep(0.5)
    wall_s = time.monotonic() - began
    ui.wait_for(lambda: str(all(run["status"] == "SUCCESS" for run in ui.runs())), {"True"})
    time.sleep(3)  # the daemon's warm process, or in the naive way the code server, collects its last runs
    runs_after, all_after = _cpu_s(processes)
    return Cost(wall_s, (runs_after - runs_before) / len(videos), (all_after - all_before) / len(videos))


def _why(ui: DagsterUI, run: str) -> str:
    """Return what the steps that failed say."""
    events = ui.ask(_ERRORS, runId=run)["runOrError"]["eventConnection"]["events"]
    errors = [event["error"] for event in events if event.get("error")]
    return "; ".join(cause["message"].strip() for error in errors for cause in (error, *error["causes"]))


def _embedded(database: Database) -> int:
    with database.connection() as connection:
        [count] = connection.execute("select count(*) from embedded_videos").fetchone() or (0,)
        return int(count)


def _cpu_s(processes: list[psutil.Process]) -> tuple[float, float]:
    """Return CPU seconds of all runs that have ended, and of all of Dagster."""
    tree = [one for process in processes for one in (process, *process.children(recursive=True))]
    times = [process.cpu_times() for process in tree]
    ended = sum(one.children_user + one.children_system for one in times)
    return ended, ended + sum(one.user + one.system for one in times)


def _with_figures_of(address: Address, cost: Cost) -> Cost:
    figures = {
        "loads": max(loads(address).values()),
        "longest_wait_s": metric(address, "longest_decode_wait_seconds"),
        "server_memory_mb": metric(address, "resident_memory_bytes") / 1e6,
    }
    return Cost(cost.wall_s, cost.run_cpu_s, cost.dagster_cpu_s, **figures)  # type: ignore[arg-type]


@contextmanager
def _fixed_server(model: str, folder: Path) -> Iterator[Address]:
    """Have a server with random weights, which no setting asks for."""
    path = folder / "asr.sock"
    command = [sys.executable, "-m", "benchmarks.runs.server", model, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Address(f"unix://{path}")
        finally:
            process.terminate()


@contextmanager
def _dagster(
    folder: Path, workspace: Path, code_server: Path | None
) -> Iterator[tuple[DagsterUI, list[psutil.Process]]]:
    """Start a code server where there is to be one, then webserver and daemon; end them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "dagster.log").open("w") as log, ExitStack() as stack:

        def start(*command: str) -> psutil.Process:
            process = subprocess.Popen([sys.executable, "-m", *command], cwd=folder, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return psutil.Process(process.pid)

        started = []
        if code_server:
            started.append(start(*code_server_command(code_server)))
            stack.callback(shut_down, code_server)
            while not answers(code_server):
                if started[0].status() == psutil.STATUS_ZOMBIE:
                    raise RuntimeError((folder / "dagster.log").read_text())
                time.sleep(0.1)
        started.append(start("dagster_webserver", "-w", str(workspace), "-p", str(port)))
        started.append(start("dagster._daemon", "run", "-w", str(workspace)))
        ui = DagsterUI(f"http://127.0.0.1:{port}")
        ui.wait_for(lambda: str(_open(port)), {"True"})
        ui.wait_until_loaded()
        yield ui, started


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _env_file(folder: Path, job: Job, feed: str, address: Address | None) -> Path:
    config = config_of(job.model)
    (folder / "sources.yaml").write_text(f"sources: [{{name: bench, feed: '{feed}'}}]\n")
    settings = {
        "DATA_DIR": folder / "data",
        "SOURCES_FILE": folder / "sources.yaml",
        "ALLOW_PRIVATE_ADDRESSES": "true",
        "SITE_RATE": "*=60000",
        "CHECK_REPETITION": 1,  # what random weights say repeats itself, and would not be embedded
        "WHISPER_MODEL": config.model,
        "WHISPER_DEVICE": config.device,
        "WHISPER_COMPUTE": config.compute,
        "WHISPER_PARALLEL_MODELS": config.parallel,
        "ASR_WORKERS": config.videos,
        "MODEL_SERVER_URL": address.url if address else "",
    }
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return folder / ".env"


if __name__ == "__main__":
    print(json.dumps(asdict(cost_of(Job(**json.loads(sys.argv[1]))))))
