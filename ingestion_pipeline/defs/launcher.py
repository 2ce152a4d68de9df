"""Runs as forks of one warm process: each video has a process of its own, the imports are paid for once.

`dagster.yaml` names the launcher. The code server would start a run as a new Python, which spends three quarters of its
CPU time on imports. Here multiprocessing's fork server, a child of the daemon with one thread, has imported all that a
run needs, and a run is a fork of it.
"""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

import psutil
from dagster import DagsterRun
from dagster._core.instance import DagsterInstance
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._serdes import ConfigurableClass, deserialize_value, serialize_value
from dagster._serdes.config_class import ConfigurableClassData

PROCESS_TAG = "ingest/process"
"""Where a run's process is: host, process number, and when it began, so that a stranger's is not taken for it."""
_PRELOADED = "ingestion_pipeline.defs.preloaded"


class ForkingRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Starts each run as a fork of the warm process, and fails it where its process ends without a word."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self._fork_server = multiprocessing.get_context("forkserver")
        self._fork_server.set_forkserver_preload([_PRELOADED])
        self._processes: set[multiprocessing.process.BaseProcess] = set()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What `dagster.yaml` says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Return the fields it takes in `dagster.yaml`: none."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """Return the launcher."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run's process, and a thread that waits for its end."""
        run = context.dagster_run
        process = self._fork_server.Process(target=execute, args=(serialize_value(self._arguments(run)),))
        process.start()
        self._processes.add(process)
        threading.Thread(target=self._watch, args=(process, run.run_id), daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run on this machine as Ctrl-C would; say whether it was there to be interrupted."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process = _process_at(run.tags.get(PROCESS_TAG, ""))
        if process is None:
            self._instance.report_engine_event("Its process is not on this machine, or has gone.", run)
            return False
        process.send_signal(signal.SIGINT)
        return True

    def dispose(self) -> None:
        """Interrupt the runs that are still there: the daemon ends, and waits for them."""
        for process in tuple(self._processes):
            if process.pid and process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)

    def _arguments(self, run: DagsterRun) -> Any:  # noqa: ANN401 - Dagster's own record, not exported
        from dagster._grpc.types import ExecuteRunArgs

        assert run.job_code_origin is not None
        return ExecuteRunArgs(job_origin=run.job_code_origin, run_id=run.run_id, instance_ref=self._instance.get_ref())

    def _watch(self, process: multiprocessing.process.BaseProcess, run_id: str) -> None:
        process.join()
        self._processes.discard(process)
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, f"The run's process ended with status {process.exitcode}.")


def execute(arguments: str) -> None:
    """Execute a run in this process, as `dagster api execute_run` does, once its tag says where that is.

    The run itself writes the tag: Dagster rewrites all tags of a run at once, so a second writer could lose one.
    """
    from dagster._cli.api import execute_run_command
    from dagster._grpc.types import ExecuteRunArgs

    run = deserialize_value(arguments, ExecuteRunArgs)
    assert run.instance_ref is not None
    with DagsterInstance.from_ref(run.instance_ref) as instance:
        address = f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"
        instance.add_run_tags(run.run_id, {PROCESS_TAG: address})
    execute_run_command.callback(arguments, None)  # type: ignore[misc]


def _process_at(address: str) -> psutil.Process | None:
    host, _, process = address.partition(" ")
    pid, _, created = process.partition(" ")
    if host != socket.gethostname() or not pid:
        return None
    try:
        found = psutil.Process(int(pid))
    except psutil.NoSuchProcess:
        return None
    return found if str(found.create_time()) == created else None
