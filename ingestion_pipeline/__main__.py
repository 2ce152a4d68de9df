"""`python -m ingestion_pipeline` is `ingest`."""

from .cli import main

main()
