"""`python -m benchmarks.runs.server MODEL SOCKET`: a model server that does the same work for each chunk."""

import sys
from pathlib import Path

from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.serving.server import serve
from ingestion_pipeline.serving.service import Limits, Service
from ingestion_pipeline.serving.startup import listening_on

from .work import config_of, fixed_decoding

if __name__ == "__main__":
    model, socket = sys.argv[1:]
    service = Service(ServerConfig(config_of(model), idle_s=None), Limits(), fixed_decoding(model))
    serve(service, listening_on(Path(socket)), lambda: print("ready", flush=True))
