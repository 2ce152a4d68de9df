"""The four ways of transcribing many files that are held against each other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.transcribe import Segment as HeardSegment

from ingestion_pipeline.records import Segment

from . import tokens
from .counting import Tally, counted
from .setup import BOUND, Setup

if TYPE_CHECKING:
    from ingestion_pipeline.speech.decoding import Decoding

_HANDED_IN = 24
"""Files that the engine is given at once; how many it works on is its own affair."""


@dataclass(frozen=True)
class Arm:
    """A way of transcribing, its models loaded.

    `texts` returns the text of each file when all are done, `busy_s` how long (s) each decode worker has worked so far.
    """

    texts: Callable[[Sequence[Path]], list[str]]
    busy_s: Callable[[], list[float]]


@contextmanager
def sequential(setup: Setup, tally: Tally) -> Iterator[Arm]:
    """Take one file after the other, one window after the other, with all cores."""
    model = counted(setup.load(setup.cores), tally)
    yield Arm(partial(_one_by_one, model, setup), partial(tally.worked_s, 1))


@contextmanager
def batched(setup: Setup, tally: Tally) -> Iterator[Arm]:
    """Take one file after the other, its windows in batches, with all cores."""
    model = counted(setup.load(setup.cores), tally)

    def texts(files: Sequence[Path]) -> list[str]:
        pipeline, size = BatchedInferencePipeline(model), setup.pipeline_batch
        return [_text(pipeline.transcribe(str(file), batch_size=size, **setup.options())[0]) for file in files]

    yield Arm(texts, partial(tally.worked_s, 1))


@contextmanager
def copies(setup: Setup, tally: Tally) -> Iterator[Arm]:
    """Deal the files out to copies of the model, one for each worker and its share of the cores; at least two."""
    count = max(2, setup.workers)
    models = [counted(setup.load(setup.cores // count), tally) for _ in range(count)]

    def texts(files: Sequence[Path]) -> list[str]:
        found = [""] * len(files)
        hands = [files[first::count] for first in range(count)]
        for first, dealt in enumerate(threads.map(_one_by_one, models, [setup] * count, hands)):
            found[first::count] = dealt
        return found

    with ThreadPoolExecutor(count) as threads:
        yield Arm(texts, partial(tally.worked_s, count))


@contextmanager
def this_engine(setup: Setup, tally: Tally) -> Iterator[Arm]:
    """Hand all files to the project's engine: one set of weights, the windows of several files side by side."""
    from ingestion_pipeline.speech.engine import Engine
    from ingestion_pipeline.speech.heap import keep_freed_memory

    keep_freed_memory()
    model = counted(setup.load(setup.cores // setup.workers, setup.workers), tally)
    decoding = decoding_of(setup)

    def text(file: Path) -> str:
        return _text(engine.transcribe(file, decoding, lambda _: None).segments)

    with (
        Engine(model, workers=setup.workers, videos=2, batch=setup.batch) as engine,
        ThreadPoolExecutor(_HANDED_IN) as threads,
    ):
        yield Arm(lambda files: list(threads.map(text, files)), lambda: list(engine.busy_s))


ARMS: dict[str, Callable[[Setup, Tally], AbstractContextManager[Arm]]] = {
    "a": sequential,
    "b": batched,
    "c": copies,
    "d": this_engine,
}
NAMES = {"a": "sequential", "b": "batched", "c": "model copies", "d": "this engine"}


def decoding_of(setup: Setup) -> "Decoding":
    """Return how the engine decodes so that each arm does the same work."""
    from ingestion_pipeline.speech.decoding import Decoding

    if setup.real:
        return Decoding(language="en", beam=setup.beam, timestamps=True, gated=True)
    return Decoding(
        language="en", beam=setup.beam, timestamps=False, max_tokens=BOUND, suppressed=(tokens.END,), gated=False
    )


def _one_by_one(model: WhisperModel, setup: Setup, files: Sequence[Path]) -> list[str]:
    return [_text(model.transcribe(str(file), **setup.options())[0]) for file in files]


def _text(segments: Iterable[HeardSegment | Segment]) -> str:
    return " ".join(segment.text.strip() for segment in segments)
