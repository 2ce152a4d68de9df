"""What a run prints on the terminal: the lines of our own steps, and errors; Dagster's engine events stay in the UI."""

import logging
import sys

import dagster as dg


@dg.logger(config_schema={}, description="one short line for each step's own messages")
def progress_lines(_: dg.InitLoggerContext) -> logging.Logger:
    """Return a logger that writes messages of level INFO and above to the standard error."""
    logger = logging.getLogger("ingestion_pipeline.progress")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_OneLine("%(asctime)s  %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    return logger


class _OneLine(logging.Formatter):
    """Shortens a record of Dagster to its step and its own message."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or meta.get("job_name") or ""
        message = meta.get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, self.datefmt)}  {step:18}  {message}"
