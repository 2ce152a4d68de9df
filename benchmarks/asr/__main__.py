"""`python -m benchmarks.asr`: measure, and write the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import click
import joblib

from . import RESULTS
from .machine import NoGpu, described
from .medians import closing_line
from .plan import BEAMS, Case, Step, cases, steps
from .plot import draw
from .remaining import in_words, remaining_s
from .report import page
from .results import OtherConditions, Results
from .runner import Failed, run
from .setup import MODELS, Setup
from .workloads import SCALES, WORKLOADS


def _names(values: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return what commas separate; raise `click.BadParameter` for what is not known."""
    named = tuple(name for value in values for name in value.split(",") if name)
    if unknown := [name for name in named if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: known are {', '.join(known)}")
    return named


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--models", multiple=True, help=f"Of {', '.join(MODELS)}: every combination with them, planned or not.")
@click.option("--workloads", multiple=True, help=f"Only these of {', '.join(WORKLOADS)}.")
@click.option("--beams", multiple=True, help="Only these of 1, 5.")
@click.option("--runs", type=click.IntRange(1), help="Measurements of each arm, in place of the plan's.")
@click.option("--scale", type=click.Choice(list(SCALES)), help="Size of the workloads, in place of the plan's.")
@click.option("--quick", is_flag=True, help="Base and demo-en, small workloads, once each: under ten minutes.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--compute", help="CTranslate2's compute type.  [default: int8 on a CPU, float16 on a GPU]")
@click.option("--workers", type=click.IntRange(1), help="Decode workers, model copies.  [default: cores; 1 on a GPU]")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
@click.option("--name", help="Name of the files in it.  [default: asr-cpu, asr-cpu-quick, asr-cuda, ...]")
@click.option("--fresh", is_flag=True, help="Measure anew what was measured; without it an interrupted run goes on.")
@click.option("--list", "only_list", is_flag=True, help="Say what would be measured, and for how long.")
def main(
    models: tuple[str, ...],
    workloads: tuple[str, ...],
    beams: tuple[str, ...],
    runs: int | None,
    scale: str | None,
    quick: bool,
    device: str,
    compute: str | None,
    workers: int | None,
    results: Path,
    name: str | None,
    fresh: bool,
    only_list: bool,
) -> None:
    """Transcribe the same files in four ways, by turns, and compare speed and memory.

    \b
    python -m benchmarks.asr --list                                  the standing plan, and how long it takes
    python -m benchmarks.asr                                         measure it; Ctrl-C, and the same again goes on
    python -m benchmarks.asr --models base --beams 5 --scale full    more than the plan has; same report
    python -m benchmarks.asr --quick
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    planned = steps(
        device,
        quick=quick,
        models=_names(models, MODELS),
        workloads=_names(workloads, WORKLOADS),
        beams=[int(beam) for beam in _names(beams, tuple(map(str, BEAMS)))],
        scale=scale,
        runs=runs,
    )
    place = _place(device, compute, workers)
    wanted = list(chain.from_iterable(cases(step, place) for step in planned))
    file = results / f"{name or f'asr-{device}' + '-quick' * quick}.json"
    if fresh and not only_list:
        file.unlink(missing_ok=True)
    try:
        found = Results.at(file, described(device))
        _announce(planned, found, wanted)
        if not only_list:
            with _reported(found):
                run(found, wanted)
    except (OtherConditions, NoGpu, Failed) as error:
        hint = "; --fresh begins anew, --name another file" if isinstance(error, OtherConditions) else ""
        raise click.ClickException(f"{error}{hint}") from error


def _place(device: str, compute: str | None, workers: int | None) -> Setup:
    cores, on_cpu = joblib.cpu_count(), device == "cpu"
    return Setup(
        model="",
        device=device,
        compute=compute or ("int8" if on_cpu else "float16"),
        cores=cores,
        workers=workers or (cores if on_cpu else 1),
        batch=0,
        pipeline_batch=0,
        beam=0,
    )


def _announce(planned: list[Step], found: Results, wanted: list[Case]) -> None:
    for step in planned:
        click.echo(
            f"{step.model}, beam {step.beam}, {step.scale} size: {', '.join(step.workloads)}; {step.runs} x 4 arms"
        )
    missing = found.missing(wanted)
    click.echo(f"{len(missing)} measurements, {in_words(remaining_s(found.rows, missing))} at a rough guess")


@contextmanager
def _reported(found: Results) -> Iterator[None]:
    """Write the report when all is measured, and of what is measured when the block is interrupted."""
    try:
        yield
    finally:
        if found.rows:
            _report(found)
    if not found.rows:
        raise click.ClickException("nothing of this is in the plan; --models takes what is not")


def _report(found: Results) -> None:
    plot = found.file.with_suffix(".png")
    draw(found, plot)
    found.file.with_suffix(".md").write_text(page(found, plot.name))
    click.echo(f"Report: {found.file.with_suffix('.md')}")
    click.echo(closing_line(found))


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.asr")
