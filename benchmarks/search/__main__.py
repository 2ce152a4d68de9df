"""`python -m benchmarks.search`: how fast passages are written and found, and what the index misses."""

import json
from pathlib import Path

import click

from . import BUILT, RESULTS
from .corpus import KnownVectors
from .measure import measured
from .report import closing_line, page
from .searching import Question
from .sentences import question, sentence
from .vectors import PASSAGES, QUESTIONS, passage_vectors, question_vectors
from .writing import new_database, temporary_server

_QUICK_PASSAGES, _QUICK_QUESTIONS = 25_000, 100


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--quick", is_flag=True, help=f"{_QUICK_PASSAGES:,} passages and {_QUICK_QUESTIONS} questions.")
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), default=BUILT, help="Folder of vectors.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
def main(quick: bool, cache: Path, results: Path) -> None:
    """Write passages with real vectors into a PostgreSQL of its own, and search them in several ways.

    \b
    python -m benchmarks.search.vectors      the vectors ahead, to be left alone
    python -m benchmarks.search
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    passages, questions = (_QUICK_PASSAGES, _QUICK_QUESTIONS) if quick else (PASSAGES, QUESTIONS)
    texts, asked = [sentence(number) for number in range(passages)], [question(number) for number in range(questions)]
    embedder = KnownVectors(dict(zip(texts, passage_vectors(texts, cache), strict=True)))
    wanted = [Question(*one) for one in zip(asked, question_vectors(asked, cache), strict=True)]
    with temporary_server() as server:
        kept = measured(new_database(server, "search"), texts, embedder, wanted)
    results.mkdir(parents=True, exist_ok=True)
    file = results / f"search{'-quick' * quick}.json"
    file.write_text(json.dumps(kept, indent=1) + "\n")
    file.with_suffix(".md").write_text(page(kept))
    click.echo(f"Report: {file.with_suffix('.md')}")
    click.echo(closing_line(kept))


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.search")
