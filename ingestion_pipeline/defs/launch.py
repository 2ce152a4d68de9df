"""Runs in this process, without a daemon, on the same instance: the UI shows them and can execute them again."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

from .assets import videos
from .progress import was_interrupted


def run_job(
    instance: dg.DagsterInstance, workspace: Path, job_name: str, run_config: Mapping[str, object], partition: str = ""
) -> dg.JobExecutionResult:
    """Execute a job of the definitions and return its result, a failed one as well.

    The run carries the origin that the webserver gives to its own; without it the UI cannot execute it again.
    """
    repository = ReconstructableRepository.for_module("ingestion_pipeline.definitions", "defs")
    job = repository.get_reconstructable_job(job_name)
    run = instance.create_run_for_job(
        job.get_definition(),
        run_config={**run_config, "loggers": {"console": {}}},
        tags={"dagster/partition": partition} if partition else {},
        remote_job_origin=_origin(workspace, repository, job_name),
        job_code_origin=job.get_python_origin(),
    )
    result = execute_run(job, run, instance)
    if any(was_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    return result


def ingest_video(
    instance: dg.DagsterInstance, workspace: Path, video: str, *, force: bool = False
) -> dg.JobExecutionResult:
    """Take one video through all its steps."""
    instance.add_dynamic_partitions(str(videos.name), [video])
    steps = ("raw_audio", "transcripts", "segment_embeddings")
    run_config = {"ops": {step: {"config": {"force": force}} for step in steps}}
    return run_job(instance, workspace, "ingest_video", run_config, video)


def failure_of(result: dg.JobExecutionResult) -> str | None:
    """Return why a run failed, in one line; None where it did not."""
    for event in result.all_events:
        failure = event.is_step_failure and event.step_failure_data
        if failure and failure.user_failure_data and failure.user_failure_data.description:
            return str(failure.user_failure_data.description)
        if failure and failure.error:
            return (failure.error.cause or failure.error).message.strip().splitlines()[-1]
    return None if result.success else "The run failed; see its page in the UI."


def _origin(workspace: Path, repository: ReconstructableRepository, job_name: str) -> RemoteJobOrigin:
    (location,) = WorkspaceFileTarget([str(workspace)]).create_origins()
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, repository.get_definition().name), job_name)
