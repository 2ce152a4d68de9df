"""What a run prints on the terminal: the lines of our own steps, and errors; Dagster's engine events stay in the UI."""

import logging
import sys

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.execution.plan.objects import ErrorSource


@dg.logger(config_schema={}, description="one short line for each step's own messages")
def progress_lines(_: dg.InitLoggerContext) -> logging.Logger:
    """Return a logger that writes messages of level INFO and above to the standard error."""
    logger = logging.getLogger("ingestion_pipeline.progress")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.addFilter(_is_news)
        handler.setFormatter(_OneLine("%(asctime)s  %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    return logger


def was_interrupted(event: dg.DagsterEvent) -> bool:
    """Tell whether Ctrl-C ended a step or its run: Dagster makes a failure of each."""
    if event.is_step_failure:
        return event.step_failure_data.error_source == ErrorSource.INTERRUPT
    return event.is_job_failure and event.job_failure_data.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a record is worth a line; that of an interruption or of a step never begun is not."""
    meta = getattr(record, "dagster_meta", {})
    event = meta.get("dagster_event")
    if event is not None:
        return not was_interrupted(event)
    return not str(meta.get("orig_message")).startswith("Dependencies for step")


class _OneLine(logging.Formatter):
    """Shortens a record of Dagster to its step and its own message."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or meta.get("job_name") or ""
        message = meta.get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, self.datefmt)}  {step:18}  {message}"
