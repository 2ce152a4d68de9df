"""`python -m benchmarks.search.growth`: how tables, index and times grow, and what a million passages would take.

Beyond the 100,000 real vectors, each is a real one moved by noise: near enough for sizes and times, not for recall.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from ingestion_pipeline.store.database import Database

from . import BUILT, RESULTS
from .corpus import KnownVectors, add_transcripts
from .measure import indexed, machine
from .report import machine_lines, table
from .searching import Question, compared
from .sentences import question, sentence
from .vectors import PASSAGES, Vectors, passage_vectors, perturbed, question_vectors
from .writing import database_mb, new_database, rows_a_second, size_mb, temporary_server

SIZES = "30000,100000,300000"
MILLION = 1_000_000
_QUESTIONS = 200
_ROWS = {
    "table of vectors, MB": "vectors_mb",
    "table of passages, MB": "passages_mb",
    "index of words, MB": "words_mb",
    "index of vectors, MB": "index_mb",
    "whole database, MB": "database_mb",
    "build of the index of vectors, s": "build_s",
    "exact scan, p50 ms": "exact scan",
    "search by the index, p50 ms": "index",
    "text search, p50 ms": "text",
    "hybrid search, p50 ms": "hybrid",
}
Point = Mapping[str, float]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--sizes", default=SIZES, show_default=True, help="Passages, smallest first.")
@click.option("--real", default=PASSAGES, show_default=True, type=click.IntRange(1), help="Real vectors.")
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), default=BUILT, help="Folder of vectors.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
def main(sizes: str, real: int, cache: Path, results: Path) -> None:
    """Fill, index and search a database of each size, and carry the growth on to a million."""
    counts = [int(size) for size in sizes.split(",")]
    asked = [question(number) for number in range(_QUESTIONS)]
    questions = [Question(*one) for one in zip(asked, question_vectors(asked, cache), strict=True)]
    texts = [sentence(number) for number in range(max(counts))]
    vectors = perturbed(passage_vectors(texts[:real], cache), len(texts))
    kept: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "real": min(real, len(texts)), "points": {}}
    for count in counts:
        with temporary_server() as server:
            database = new_database(server, "growth")
            kept["machine"] = machine(database)
            kept["points"][count] = measured(database, texts[:count], vectors[:count], questions)
        click.echo(f"{count}: {json.dumps(kept['points'][count])}")
    results.mkdir(parents=True, exist_ok=True)
    (results / "search-growth.json").write_text(json.dumps(kept, indent=1) + "\n")
    (results / "search-growth.md").write_text("\n".join(_lines(kept)) + "\n")
    click.echo("\n".join(growth_table(kept["points"])))


def measured(
    database: Database, texts: Sequence[str], vectors: Vectors, questions: Sequence[Question]
) -> dict[str, float]:
    """Return sizes (MB), times to build (s) and to search (ms) with so many passages."""
    keys = add_transcripts(database, texts)
    embedder = KnownVectors(dict(zip(texts, vectors, strict=True)))
    figures = {"rows_s": rows_a_second(database, keys, embedder)}
    index = indexed(database)
    figures |= {"index_mb": index["size_mb"], "build_s": index["build_s"], "vectors_mb": index["table_mb"]}
    figures |= {"passages_mb": size_mb(database, "passages"), "words_mb": size_mb(database, "passages_words")}
    figures |= {"database_mb": database_mb(database)}
    plain = (row for row in compared(database, questions) if not row["filtered"])
    return figures | {str(row["way"]): float(str(row["p50_ms"])) for row in plain}


def carried_on(sizes: Sequence[int], values: Sequence[float], size: int) -> float:
    """Return the value at a size by the power of the size that fits best: 1 where it doubles with it, 0 where not."""
    power, constant = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(np.exp(constant + power * np.log(size)))


def growth_table(points: Mapping[int, Point]) -> list[str]:
    """Return the lines of a table: a column for each size, and one for a million, which nobody measured."""
    sizes = list(points)
    head = ["", *(f"{size:,}" for size in sizes), f"{MILLION:,} (worked out)"]
    rows = []
    for label, name in _ROWS.items():
        values = [points[size][name] for size in sizes]
        rows.append([label, *map(_shown, [*values, carried_on(sizes, values, MILLION)])])
    return list(table(head, rows))


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _lines(kept: Mapping[str, Any]) -> Iterator[str]:
    yield "# How a search grows"
    yield ""
    yield f"Made {kept['date']} with {kept['real']:,} real vectors; beyond, real ones moved by noise. `docs/scale.md`"
    yield "says what follows from it."
    yield ""
    yield from machine_lines(kept)
    yield ""
    yield from growth_table(kept["points"])


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.search.growth")
