"""Messages about failures through Apprise: one for all that come together."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from .errors import BadSettings, EnvironmentFault
from .failures import grouped
from .store import failures
from .store.database import Database
from .store.failures import Failure

QUIET = timedelta(minutes=1)
"""A message waits until nothing has failed for so long ..."""
LATEST = timedelta(minutes=10)
"""... but not longer than this."""
NAMED = 5
"""Videos of a group that a message names."""


def is_due(found: Sequence[Failure], now: datetime) -> bool:
    """Tell whether it is time for a message about these."""
    times = [one.failed_at for one in found]
    return bool(times) and (now - max(times) >= QUIET or now - min(times) >= LATEST)


def tell(database: Database, urls: str, warn: Callable[[str], None]) -> int:
    """Send one message about all failures that nobody was told of, and return how many those are.

    Raises `EnvironmentFault`; then they are told later.
    """
    with database.connection() as connection:
        found = failures.untold(connection)
    if found:
        send(urls, *message_of(found), warn)
        with database.writing() as connection:
            failures.told(connection, found)
    return len(found)


def message_of(found: Sequence[Failure]) -> tuple[str, str]:
    """Return title and text of a message: for each reason what to do, and some of the videos."""
    title = f"{len(found)} video{'s' if len(found) > 1 else ''} failed or wait"
    return title, "\n\n".join(_about(*group) for group in grouped(found))


def send(urls: str, title: str, text: str, warn: Callable[[str], None]) -> None:
    """Send a message to Apprise's addresses, with commas between; raise `EnvironmentFault` where none takes it.

    Of one that does not it is warned: the others must not get the message again. The addresses hold passwords and are
    not repeated.
    """
    import apprise

    services = apprise.Apprise()
    if not services.add(urls):
        raise BadSettings("Apprise cannot read NOTIFY_URLS.", "See https://appriseit.com for the form of an address.")
    taken = [bool(apprise.Apprise(service).notify(text, title)) for service in services]
    if not any(taken):
        raise EnvironmentFault(
            "The message about failures was taken by none of NOTIFY_URLS.", "It is sent again; see the run's log."
        )
    if not all(taken):
        warn(f"{taken.count(False)} of {len(taken)} of NOTIFY_URLS did not take the message about failures.")


def _about(kind: str, remedy: str, found: Sequence[Failure]) -> str:
    lines = [f"- {one.title}: {one.reason}" for one in found[:NAMED]]
    more = [f"- and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return "\n".join([f"{len(found)} {kind.replace('_', ' ')}: {remedy}", *lines, *more])
