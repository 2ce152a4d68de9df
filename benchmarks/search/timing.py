"""Percentiles, and what share of an exact search's answers another search gives."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

_Asked = TypeVar("_Asked")


@dataclass(frozen=True)
class Answers:
    """What each question was answered with, best first, and how long each took (ms)."""

    answers: list[list[Hashable]]
    took_ms: list[float]

    def percentile(self, percent: float) -> float:
        """Return the time (ms) within which that share of the questions was answered."""
        return float(np.percentile(self.took_ms, percent))

    def recall(self, exact: "Answers") -> float:
        """Return the share of the exact answers that are among these, 1 where there are none."""
        shares = [
            len(set(found) & set(wanted)) / len(wanted)
            for found, wanted in zip(self.answers, exact.answers, strict=True)
            if wanted
        ]
        return float(np.mean(shares)) if shares else 1.0


def asked(ask: Callable[[_Asked], list[Hashable]], questions: Sequence[_Asked], warm_up: int = 20) -> Answers:
    """Ask each question once, one after the other; the first few are asked before the clock, too."""
    for question in questions[:warm_up]:
        ask(question)
    answers, took_ms = [], []
    for question in questions:
        began = time.perf_counter()
        answers.append(ask(question))
        took_ms.append((time.perf_counter() - began) * 1000)
    return Answers(answers, took_ms)
