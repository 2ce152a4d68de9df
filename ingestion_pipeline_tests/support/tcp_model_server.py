"""A model server on loopback, as a script: it prints its address. Arguments: limits as JSON, model, `lost`."""

import json
import os
import sys

from ingestion_pipeline.serving.config import ServerConfig
from ingestion_pipeline.serving.server import listening_at, serve
from ingestion_pipeline.serving.service import Limits, Service
from ingestion_pipeline.speech.recogniser import WhisperConfig


class _Lost:
    """A model whose card has failed; all but its computing is that of a real one."""

    def __init__(self, whisper: object) -> None:
        self._whisper = whisper

    def __getattr__(self, name: str) -> object:
        return getattr(self._whisper, name)

    def encode(self, *_: object, **__: object) -> object:
        raise RuntimeError("CUDA failed with error an illegal memory access was encountered")


def _serve(limits: str, model: str, lost: str = "") -> None:
    listener = listening_at("127.0.0.1", 0, None)
    host, port = listener.getsockname()
    service = Service(
        ServerConfig(WhisperConfig(model, "cpu", "int8", parallel=1, videos=1), 60), Limits(**json.loads(limits))
    )
    if lost:
        loaded, _ = service.whisper._loaded()  # noqa: SLF001 - the model must be there before it can fail
        loaded.model = _Lost(loaded.model)
    serve(service, listener, lambda: print(f"http://{host}:{port}", flush=True))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
    os._exit(0)
