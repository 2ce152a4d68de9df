"""`python -m benchmarks.search.vectors`: the vectors of the sentences, made once by the project's own embedder.

They are kept a thousand to a file that is named after model and texts, so that an interrupted call goes on where it
was, and that changed sentences never meet old vectors.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from numpy import float32
from numpy.typing import NDArray

from ingestion_pipeline.embedding.embedder import MINILM, Embedder, InProcessEmbedder

from . import BUILT
from .sentences import question, sentence

Vectors = NDArray[float32]
PASSAGES, QUESTIONS = 100_000, 500
_IN_A_FILE = 1000


def passage_vectors(texts: Sequence[str], folder: Path = BUILT) -> Vectors:
    """Return the vectors (texts, dimensions) of passages; those that are not in `folder` are made, with progress."""
    embedder = InProcessEmbedder(MINILM)
    return kept_vectors(texts, folder / "passages", embedder.model, embedder.documents)


def question_vectors(texts: Sequence[str], folder: Path = BUILT) -> Vectors:
    """Return the vectors (texts, dimensions) of questions, as a search makes them."""
    embedder = InProcessEmbedder(MINILM)
    return kept_vectors(texts, folder / "questions", embedder.model, lambda some: _queries(embedder, some))


def perturbed(vectors: Vectors, count: int, amount: float = 0.25) -> Vectors:
    """Return `count` vectors of length 1: those given, over and over, each time moved by noise of this length."""
    random = np.random.default_rng(7)
    rows = [vectors[:count]]
    while (made := sum(map(len, rows))) < count:
        noise = random.standard_normal((min(len(vectors), count - made), vectors.shape[1]), float32)
        moved = vectors[: len(noise)] + amount * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        rows.append(moved / np.linalg.norm(moved, axis=1, keepdims=True))
    return np.concatenate(rows)


def _queries(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    return np.array([embedder.query(text) for text in texts])


def kept_vectors(texts: Sequence[str], folder: Path, model: str, encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
    """Return the vectors of texts; those that are not in the folder are made and kept, a thousand at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    split = [texts[start : start + _IN_A_FILE] for start in range(0, len(texts), _IN_A_FILE)]
    parts = [(folder / f"{_name(model, part)}.npy", part) for part in split]
    missing = [(file, part) for file, part in parts if not file.exists()]
    for line in _made(missing, encode):
        click.echo(f"{folder.name}: {line}", err=True)
    return np.concatenate([np.load(file) for file, _ in parts]).astype(float32)


def _made(missing: Sequence[tuple[Path, Sequence[str]]], encode: Callable[[Sequence[str]], Vectors]) -> Iterator[str]:
    """Write each file, by another name until it is whole; yield how far it is."""
    began, made, wanted = time.monotonic(), 0, sum(len(part) for _, part in missing)
    for file, part in missing:
        written = file.with_suffix(f".{os.getpid()}.part")  # two calls may be at it
        with written.open("wb") as output:
            np.save(output, encode(part).astype(np.float16))  # as the database keeps them
        written.replace(file)
        made += len(part)
        rate = made / (time.monotonic() - began)
        yield f"{made} of {wanted} embedded, {rate:.0f} a second, {(wanted - made) / rate / 60:.0f} min left"


def _name(model: str, texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join([model, *texts]).encode()).hexdigest()[:24]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passages", default=PASSAGES, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), default=BUILT, help="Folder of vectors.")
def main(passages: int, cache: Path) -> None:
    """Make the vectors ahead of the benchmark, which else makes them by itself; Ctrl-C, and the same again goes on."""
    passage_vectors([sentence(number) for number in range(passages)], cache)
    question_vectors([question(number) for number in range(QUESTIONS)], cache)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.search.vectors")
