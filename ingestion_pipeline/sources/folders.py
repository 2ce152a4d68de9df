"""Lists the audio and video files of a folder."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingestion_pipeline.errors import IngestionError, Permanent, SourceFault
from ingestion_pipeline.records import LOCAL, Video

from .config import Source
from .entries import Listing, clean_title
from .keys import partition_key

MEDIA_SUFFIXES = frozenset(
    {".mp3", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wav", ".wma"}
    | {".webm", ".mp4", ".mkv", ".mov", ".avi", ".ts"}
)


def list_folder(source: Source) -> Listing:
    """List the folder and those below it; raise `SourceFault` if it is missing or cannot be read.

    Hidden files and folders are left out; what cannot be read below the folder becomes a fault of the listing.
    """
    assert source.folder is not None
    _check(source.name, source.folder)
    videos: list[Video] = []
    faults: list[IngestionError] = []
    for path in _media_files(source.folder, faults):
        try:
            videos.append(_video(source, path))
        except (OSError, UnicodeEncodeError) as error:
            faults.append(
                Permanent(f"{_shown(path)} of source {source.name}: {error}.", "Rename it, or let it be read.")
            )
    return Listing(tuple(videos), tuple(faults))


def _check(name: str, folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise SourceFault(
            f"Source {name}: folder {_shown(folder)} cannot be read: {error.strerror}.", "Correct it in sources.yaml."
        ) from error


def _media_files(folder: Path, faults: list[IngestionError]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        faults.append(Permanent(f"Folder {_shown(error.filename)}: {error.strerror}.", "Let it be read."))

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in MEDIA_SUFFIXES:
                yield Path(parent, name)


def _video(source: Source, path: Path) -> Video:
    path = path.resolve(strict=True)
    str(path).encode()  # a name that is not UTF-8 cannot be stored
    return Video(
        key=partition_key(LOCAL, str(path)),
        source=source.name,
        extractor=LOCAL,
        source_id=str(path),
        media_url=str(path),
        page_url=path.as_uri(),
        title=clean_title(path.stem) or path.name,
        published_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        language=source.language,
    )


def _shown(path: Path | str) -> str:
    return str(path).encode(errors="replace").decode()
