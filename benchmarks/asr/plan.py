"""What is measured, in which order: the standing plans, and single cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ingestion_pipeline.speech.engine import BATCH

from .arms import ARMS
from .setup import MODELS, Setup
from .workloads import WORKLOADS

BEAMS = (1, 5)
RUNS = 5


@dataclass(frozen=True)
class Step:
    """A table: every arm on each workload, `runs` times; batches as in `Setup`."""

    model: str
    beam: int
    scale: str
    runs: int = RUNS
    workloads: tuple[str, ...] = WORKLOADS
    batch: int = BATCH["cpu"]
    pipeline_batch: int = 8


@dataclass(frozen=True)
class Case:
    """One measurement: the `run`-th of an arm on a workload."""

    setup: Setup
    scale: str
    workload: str
    arm: str
    run: int


STANDING = (
    Step("base", 1, "full"),
    Step("demo-en", 1, "full"),
    Step("demo-en", 5, "full"),
    Step("base", 5, "quarter"),
    Step("small", 1, "quarter", runs=3, workloads=("short", "mix")),
    Step("distil-large-v3", 1, "quarter", runs=3, workloads=("short",)),
)
"""All at full size would take days on two cores; the larger a model, the less of it."""
QUICK = (Step("base", 1, "quick", runs=1), Step("demo-en", 1, "quick", runs=1))
GPU = tuple(Step("distil-large-v3", 1, "full", runs=3, batch=size, pipeline_batch=size) for size in (16, 32))


def steps(
    device: str,
    *,
    quick: bool,
    models: Sequence[str] = (),
    workloads: Sequence[str] = (),
    beams: Sequence[int] = (),
    scale: str | None = None,
    runs: int | None = None,
) -> list[Step]:
    """Return a standing plan with only what is named; of named models every combination, planned or not."""
    standing = QUICK if quick else GPU if device == "cuda" else STANDING
    if models:
        standing = _every(models, standing[0], beams or BEAMS[: 1 if quick else None])
    kept = [step for step in standing if not beams or step.beam in beams]
    chosen = [
        replace(step, workloads=tuple(name for name in step.workloads if not workloads or name in workloads))
        for step in kept
    ]
    return [replace(step, scale=scale or step.scale, runs=runs or step.runs) for step in chosen if step.workloads]


def cases(step: Step, place: Setup) -> Iterator[Case]:
    """Yield the measurements of a table on the device of `place`; the arms take turns, so that all see the same day."""
    setup = replace(place, model=step.model, beam=step.beam, batch=step.batch, pipeline_batch=step.pipeline_batch)
    for workload, run, arm in product(step.workloads, range(1, step.runs + 1), ARMS):
        yield Case(setup, step.scale, workload, arm, run)


def _every(models: Sequence[str], like: Step, beams: Sequence[int]) -> tuple[Step, ...]:
    ordered = [model for model in MODELS if model in models]
    return tuple(replace(like, model=model, beam=beam, workloads=WORKLOADS) for model, beam in product(ordered, beams))
