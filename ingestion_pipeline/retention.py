"""Deletes audio that has served: AUDIO_RETENTION says when."""

from collections.abc import Callable
from dataclasses import dataclass

from .errors import EnvironmentFault, VideoBusy
from .records import LOCAL
from .store import transcripts
from .store.database import Database
from .store.transcripts import Served


@dataclass
class Swept:
    """How many files were deleted, of how many bytes."""

    files: int = 0
    bytes: int = 0


def days_kept(retention: str) -> int | None:
    """Return for how many days audio is kept after its transcription; None for ever."""
    return None if retention == "keep" else 0 if retention == "delete" else int(retention)


def sweep(database: Database, days: int, log: Callable[[str], None]) -> Swept:
    """Delete the audio of which a transcript was made at least `days` ago; a local folder's own files stay.

    What a run works on is left for next time. Raises `EnvironmentFault`, after all others, for files that cannot be
    deleted.
    """
    swept, kept = Swept(), list[str]()
    with database.connection() as connection:
        served = transcripts.served_audio(connection, LOCAL, days)
    for one in served:
        if one.path.exists():
            try:
                _delete(database, one, days, swept)
            except VideoBusy as busy:
                log(busy.what)
            except OSError as error:
                kept.append(f"{one.path}: {error.strerror}")
    if kept:
        raise EnvironmentFault(f"{len(kept)} audio files cannot be deleted: {'; '.join(kept)}.", "Mend their rights.")
    return swept


def _delete(database: Database, one: Served, days: int, swept: Swept) -> None:
    """Delete a file unless it has been fetched anew meanwhile."""
    with database.unless_busy(one.video):
        with database.connection() as connection:
            still = transcripts.served_audio(connection, LOCAL, days, one.video)
        for file in still:
            if not file.path.exists():  # another sweep was here
                continue
            size = file.path.stat().st_size
            file.path.unlink()
            swept.files, swept.bytes = swept.files + 1, swept.bytes + size
