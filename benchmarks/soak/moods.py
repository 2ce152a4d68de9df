"""What a bad site does to each request for a video, drawn from a seed."""

import random
from dataclasses import dataclass

GONE = "gone"
"""404 for good: the one fault that no patience mends."""
_PASSING = ("unavailable", "cut", "stalls", "refuses")
"""503; an answer that breaks off; one that never goes on; 429."""
_SHARES = (0.10, 0.06, 0.02, 0.02)
_GONE_SHARE = 0.06


@dataclass(frozen=True)
class Episode:
    """A video: which recording it is, and how the first requests for it fare; the later ones are answered."""

    name: str
    recording: int
    moods: tuple[str, ...]

    @property
    def is_gone(self) -> bool:
        """Whether it is never to be had."""
        return GONE in self.moods


def episodes(count: int, recordings: int, seed: int) -> list[Episode]:
    """Return `count` videos with at most three faults each."""
    rng = random.Random(seed)
    return [Episode(f"episode-{number:03}", number % recordings, _moods(rng)) for number in range(count)]


def _moods(rng: random.Random) -> tuple[str, ...]:
    if rng.random() < _GONE_SHARE:
        return (GONE,)
    faults = rng.choices((*_PASSING, ""), (*_SHARES, 1 - sum(_SHARES)))[0]
    return (faults,) * (rng.randint(1, 3) if faults in {"unavailable", "cut"} else 1) if faults else ()
