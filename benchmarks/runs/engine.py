"""`python -m benchmarks.runs.engine MODEL FILE...`: how long (s) the engine alone takes, model loaded and warm."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from ingestion_pipeline.speech.resident import ResidentWhisper

from .work import config_of, fixed_decoding


def seconds_for(model: str, files: list[Path]) -> float:
    """Hand in all files at once, as a backfill does."""
    whisper = ResidentWhisper(config_of(model), fixed_decoding(model))

    def listen(file: Path) -> None:
        whisper.transcribe(file.name, file, "en", said=lambda _: None)

    listen(files[0])
    began = perf_counter()
    with ThreadPoolExecutor(len(files)) as threads:
        list(threads.map(listen, files))
    return perf_counter() - began


if __name__ == "__main__":
    print(seconds_for(sys.argv[1], [Path(file) for file in sys.argv[2:]]))
