"""What the warm process of `launcher` imports, once for all runs: everything that a run needs, models apart."""

import gc

import av  # noqa: F401
import dagster._cli.api  # noqa: F401
import dagster_postgres  # noqa: F401
import psycopg2  # type: ignore[import-untyped]  # noqa: F401
import yt_dlp.extractor.generic
import yt_dlp.extractor.youtube  # noqa: F401

from ingestion_pipeline import definitions  # noqa: F401

gc.collect()
# Forks share what they do not change; the collector would write to each object to count it.
gc.freeze()
