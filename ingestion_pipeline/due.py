"""Which videos are due for a run: told by the database and by the runs that were, and by nothing that could be lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from .store.requests import Candidate

KILLS = 5
"""So many runs that were killed or cancelled in a row leave a video to a person."""
FACTOR = 4
"""By which the pause grows after each of them."""
_CHUNK = 100
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PastRun:
    """A run of a video that has ended; `killed` without having said why, `attempt` from the key of its request."""

    ended_at: datetime
    run_id: str = ""
    killed: bool = False
    attempt: int | None = None


@dataclass(frozen=True)
class Request:
    """A run to be requested; `key` is the same until there is another run of the video."""

    video: Candidate
    key: str


@dataclass
class Due:
    """What a look at the candidates gave: those to request, and how many others wait, the first until `next_at`.

    `given_up` are left to a person, each with its last run.
    """

    requests: list[Request] = field(default_factory=list)
    waiting: int = 0
    next_at: datetime | None = None
    given_up: dict[str, str] = field(default_factory=dict)


def due_now(
    candidates: Sequence[Candidate],
    runs_of: Callable[[Sequence[str]], Mapping[str, Sequence[PastRun]]],
    *,
    room: int,
    pause_s: float,
    now: datetime,
) -> Due:
    """Return the first `room` candidates that are due; `runs_of` gives past runs, newest first, by video.

    It is asked for a hundred videos at a time, and no more than needed.
    """
    due = Due()
    for start in range(0, len(candidates), _CHUNK):
        if len(due.requests) >= room:
            break
        chunk = candidates[start : start + _CHUNK]
        runs = runs_of([video.key for video in chunk])
        for video in chunk:
            _consider(due, video, runs.get(video.key, ()), room, pause_s, now)
    return due


def due_at(video: Candidate, runs: Sequence[PastRun], pause_s: float) -> datetime | None:
    """Return when a video may be requested; None where only a person may, since run after run was killed.

    A retry whose time was set after the last run goes by that time. Else there is a pause after each run, which grows
    with those that were killed: what kills a run may be the video.
    """
    if not runs:
        return video.retry_at or _BEGINNING
    ended_at = runs[0].ended_at
    if video.retry_at is not None and video.retry_at >= ended_at:
        return video.retry_at
    kills = sum(1 for _ in takewhile(lambda run: run.killed, runs))
    return None if kills >= KILLS else ended_at + timedelta(seconds=pause_s * FACTOR ** max(0, kills - 1))


def run_key(video: str, runs: Sequence[PastRun]) -> str:
    """Return the key of the next request: it counts the runs, those as well that somebody has deleted since."""
    attempts = [run.attempt for run in runs if run.attempt is not None]
    return f"{video}:{max(len(runs), *(attempt + 1 for attempt in attempts), 0)}"


def _consider(due: Due, video: Candidate, runs: Sequence[PastRun], room: int, pause_s: float, now: datetime) -> None:
    at = due_at(video, runs, pause_s)
    if at is None:
        due.given_up[video.key] = runs[0].run_id
    elif at > now:
        due.waiting += 1
        due.next_at = min(at, due.next_at or at)
    elif len(due.requests) < room:
        due.requests.append(Request(video, run_key(video.key, runs)))
