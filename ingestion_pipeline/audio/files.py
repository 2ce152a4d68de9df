"""Audio files on disk: described by content, put in place whole, found again unchanged."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestion_pipeline.errors import DiskFull, EnvironmentFault
from ingestion_pipeline.records import Audio

from .probe import Probe

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


def describe(path: Path, found: Probe, language: str | None = None) -> Audio:
    """Return the record of the audio file at `path`, in which the probe found `found`."""
    return Audio(
        path=path,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        duration_s=found.duration_s,
        codec=found.codec,
        sample_rate=found.sample_rate,
        channels=found.channels,
        language=language,
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unchanged(audio: Audio, *, in_place: bool = False) -> bool:
    """Tell whether the file is there in its size and, for a file of someone else's (`in_place`), in its content."""
    try:
        same_size = audio.path.stat().st_size == audio.size
        return same_size and (not in_place or sha256_of(audio.path) == audio.sha256)
    except FileNotFoundError:
        return False


def put_in_place(source: Path, target: Path) -> None:
    """Move `source` to `target` on the same file system such that `target` is never seen in part, nor after a crash."""
    _sync(source)
    source.replace(target)
    _sync(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove `folder` and what is in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """Raise `DiskFull` or `EnvironmentFault`, which name `folder`, for errors of writing, however deep in a chain."""
    try:
        yield
    except Exception as error:
        system = [cause for cause in causes(error) if isinstance(cause, OSError)]
        if any(cause.errno in _FULL for cause in system):
            raise DiskFull(
                f"No room is left in {folder}.", "Free some space or set DATA_DIR to another disk."
            ) from error
        if any(cause.errno in _UNWRITABLE and cause.filename for cause in system):  # a socket's has no file name
            raise EnvironmentFault(
                f"{folder} cannot be written to.", "Give the user of this process the right to."
            ) from error
        raise


def causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through `error` and all that led to it, yt-dlp's own ways of wrapping included."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or current in seen:
            continue
        seen.append(current)
        yield current
        exc_info = getattr(current, "exc_info", None) or (None, None, None)
        waiting += [current.__cause__, current.__context__, getattr(current, "cause", None), exc_info[1]]
        waiting += getattr(current, "unexpected_errors", ())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
