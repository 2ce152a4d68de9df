"""Removes a video: its rows, its audio and its partition; no listing adds it again."""

from collections.abc import Callable
from pathlib import Path

from .audio.files import remove_folder
from .records import LOCAL
from .store import catalogue, transcripts
from .store.database import Database


def remove(database: Database, key: str, audio_folder: Path, drop_partition: Callable[[str], None]) -> None:
    """Remove a video; a local folder's own file stays. What was killed in the midst of it is completed by another call.

    Raises `VideoBusy` where a run works on it, `VideoUnknown` where there never was one.
    """
    with database.unless_busy(key):
        for file in [*_noted(database, key), *audio_folder.glob(f"{key}.*")]:
            file.unlink(missing_ok=True)
        remove_folder(audio_folder / ".partial" / key)
        with database.writing() as connection:
            catalogue.remove(connection, key)
        drop_partition(key)


def _noted(database: Database, key: str) -> list[Path]:
    """Return the file that the database knows; none of a video that is removed already."""
    with database.connection() as connection:
        if catalogue.removed_keys(connection, [key]):
            return []
        video, audio = catalogue.video_of(connection, key), transcripts.audio_of(connection, key)
    return [audio.path] if audio and video.extractor != LOCAL else []
