"""Trying again in the step, where the next try may well succeed."""

import random
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from .errors import Transient

T = TypeVar("T")

TRIES = 3
FACTOR = 4.0
JITTER = 0.25


def backoff_s(first_s: float, attempt: int) -> float:
    """Return how long (s) to pause after the attempt of this number, from 1: four times as long after each, ± 25 %."""
    # The jitter keeps videos that failed together from coming back together.
    return first_s * FACTOR ** (attempt - 1) * random.uniform(1 - JITTER, 1 + JITTER)


def tried_again(step: Callable[[], T], pause_s: float, log: Callable[[str], None]) -> T:
    """Return what a step gives; after a `Transient` it is tried again, three times in all, first after `pause_s`."""
    for attempt in count(1):
        try:
            return step()
        except Transient as error:
            if attempt == TRIES:
                raise
            pause = backoff_s(pause_s, attempt)
            log(f"{error.what} Try {attempt + 1} of {TRIES} in {pause:.0f} s.")
            time.sleep(pause)
    raise AssertionError
