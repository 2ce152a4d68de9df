"""What is kept of a failure, and when its video is tried again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby

import psycopg

from .errors import Breaker, DatabaseFault, Deferred, EnvironmentFault, IngestionError, ModelServerFault, Transient
from .retries import backoff_s
from .store import failures
from .store.database import Database
from .store.failures import Failure

WAITS = (Breaker, Deferred)
"""Not failures: their video waits, and its run ends without an output."""
RUNS = 5
"""After so many runs that failed alike, what may well succeed is left until a person asks."""
LOOK_AGAIN_S, LOOK_AGAIN_AT_MOST_S = 3600, 86_400
"""Where nobody says when a live event ends, or a server elsewhere is back: each time twice as long."""
BUG = "If it stays so, report it; the run's page has the whole error."


def typed(video: str, error: Exception) -> IngestionError:
    """Return an error as one of the project's own: what nobody has foreseen may pass."""
    return error if isinstance(error, IngestionError) else Transient(f"{video}: {type(error).__name__}: {error}", BUG)


def note(
    database: Database,
    video: str,
    asset: str,
    error: IngestionError,
    *,
    run_id: str,
    retry_after_s: float,
    log: Callable[[str], None],
) -> Failure:
    """Keep a failure and return it with its attempts and its next try; one that cannot be kept is a first one.

    A database that is gone is logged only, so that it does not hide the failure.
    """
    again = partial(retry_at, error, retry_after_s)
    kind, now = kind_of(error), datetime.now(UTC)
    failure = Failure(video, "", asset, kind, error.what, error.remedy, 1, run_id, now, again(1))
    try:
        with database.connection() as connection:
            return failures.note(connection, failure, again) or failure
    except (DatabaseFault, psycopg.Error) as fault:
        log(f"This failure could not be kept in the table of failures: {fault}")
        return failure


def kind_of(error: IngestionError) -> str:
    """Return the kind by which failures are grouped and tried again."""
    return EnvironmentFault.kind if isinstance(error, EnvironmentFault) else error.kind


def retry_at(error: IngestionError, after_s: float, attempts: int) -> datetime | None:
    """Return when a video is tried again after so many failures in a row; None where a person has to ask."""
    now = datetime.now(UTC)
    guess = now + timedelta(seconds=min(LOOK_AGAIN_S * 2 ** (attempts - 1), LOOK_AGAIN_AT_MOST_S))
    if isinstance(error, Breaker):
        return error.until or guess
    if isinstance(error, Deferred):
        return error.due if error.due and error.due > now else guess
    if isinstance(error, DatabaseFault | ModelServerFault):
        return guess
    if isinstance(error, Transient) and attempts < RUNS:
        return now + timedelta(seconds=backoff_s(after_s, attempts))
    return None


def grouped(found: Sequence[Failure]) -> list[tuple[str, str, list[Failure]]]:
    """Return kind, remedy and failures of each group; they come sorted by these."""
    groups = groupby(found, key=lambda failure: (failure.kind, failure.remedy))
    return [(kind, remedy, list(members)) for (kind, remedy), members in groups]
