"""How long the rest of a run takes, by what was measured so far."""

from collections.abc import Iterable, Sequence

from .plan import Case
from .results import Row
from .workloads import SCALES, seconds_of

_COST = {"demo-en": 0.25, "base": 1.0, "small": 4.0, "distil-large-v3": 12.0}
"""Time for the same audio, roughly, with base as the unit."""
_BEAM = 0.08
"""What each further beam adds to the cost, roughly."""
_GUESS = 1 / 12
"""Time that base takes for a second of audio on two cores, roughly: until something was measured."""
_START_S = 8.0
"""Time to load and to warm up, roughly."""


def remaining_s(rows: Sequence[Row], cases: Iterable[Case]) -> float:
    """Return the seconds that the cases will take; what is measured with a model goes before what was guessed of it."""
    return sum(_START_S + _work(case) * _rate(rows, case) for case in cases)


def in_words(seconds: float) -> str:
    """Return a duration that one reads at a glance."""
    minutes = round(seconds / 60)
    return f"about {minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"about {minutes} min"


def _rate(rows: Sequence[Row], case: Case) -> float:
    like = [row for row in rows if (row["model"], row["beam"]) == (case.setup.model, case.setup.beam)] or rows
    work = sum(_cost(row["model"], row["beam"]) * row["audio_s"] for row in like)
    return sum(row["wall_s"] for row in like) / work if work else _GUESS


def _work(case: Case) -> float:
    return _cost(case.setup.model, case.setup.beam) * seconds_of(case.workload, SCALES[case.scale])


def _cost(model: str, beam: int) -> float:
    return _COST[model] * (1 + _BEAM * (beam - 1))
