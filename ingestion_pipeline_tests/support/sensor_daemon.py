"""Rounds of Dagster's own sensor daemon over the project's definitions, in a process that may be killed in one.

    python -m ingestion_pipeline_tests.support.sensor_daemon POINT MINUTES...

plays a round at each of these minutes from now; at the point of a tick of new_uploads the process is killed.
"""

import logging
import signal
import sys
import time

from dagster import DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.sensor import execute_sensor_iteration


def main(point: str, *minutes: str) -> None:
    """Let every sensor tick once in each round."""
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="ingestion_pipeline.definitions", attribute="defs"
    )
    workspace = InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(target))
    flags, log = {"new_uploads": {point: signal.SIGKILL}}, logging.getLogger("sensors")
    with DagsterInstance.get() as instance, WorkspaceProcessContext(instance, workspace) as context:
        for later in minutes:
            with freeze_time(time.time() + 60 * int(later)):
                for error in execute_sensor_iteration(context, log, None, None, debug_crash_flags=flags):
                    assert error is None, error


if __name__ == "__main__":
    main(*sys.argv[1:])
