"""One video's audio onto the disk, whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from ingestion_pipeline.errors import Breaker, EnvironmentFault, IngestionError, Permanent, PrivateAddress, Transient
from ingestion_pipeline.records import LOCAL, Audio, Video

from .failures import classified
from .files import causes, describe, disk_faults, put_in_place, remove_folder
from .network import is_web_address, private_addresses_refused, shown
from .probe import Probe, probe
from .ytdlp import DIRECT, Access, Downloaded, Warnings, Watch, continuable, download


def fetch_audio(
    video: Video,
    folder: Path,
    *,
    max_bytes: int,
    allow_private: bool,
    access: Access = DIRECT,
    progress: Callable[[str], None],
) -> Audio:
    """Download the audio of `video` into `folder` as `<key>.<extension>`; a local file is used where it is.

    What an interrupted or failed call has left in `folder/.partial/<key>` is continued. `progress` gets a line every
    few seconds. Raises an `IngestionError` of the kind that says when another try makes sense; nothing is left behind
    then, except a part that the next call continues.
    """
    if video.extractor == LOCAL:
        return _local(video)
    if not is_web_address(video.media_url):
        raise Permanent(f"{video.key}: {shown(video.media_url)} is not an http or https link.", "Mend the source.")
    partial = folder / ".partial" / _file_name(video)
    with _removed_unless_continuable(partial), disk_faults(folder):
        partial.mkdir(parents=True, exist_ok=True)
        watch = Watch(video, partial, max_bytes, progress)
        audio = _keep(video, _downloaded(video, partial, watch, allow_private, access), folder)
    remove_folder(partial)
    return audio


def _local(video: Video) -> Audio:
    path = Path(video.media_url)
    try:
        if not path.is_file():
            raise Permanent(f"{video.key}: there is no file {path}.", "Put it back, or leave it out of the sources.")
        return describe(path, _probed(video, path), video.language)
    except PermissionError as error:
        raise EnvironmentFault(
            f"{video.key}: {path} cannot be read.", "Give the user of this process the right."
        ) from error


def _downloaded(video: Video, partial: Path, watch: Watch, allow_private: bool, access: Access) -> Downloaded:
    warnings = Warnings()
    try:
        with nullcontext() if allow_private else private_addresses_refused(access.proxy):
            return download(video, partial, watch=watch, warnings=warnings, allow_private=allow_private, access=access)
    except Exception as error:
        typed = next((cause for cause in causes(error) if isinstance(cause, IngestionError)), None)
        if isinstance(typed, PrivateAddress):
            raise PrivateAddress(f"{video.key}: {typed.what}", typed.remedy) from error
        raise typed or classified(video, error, warnings.hints) from error


def _keep(video: Video, downloaded: Downloaded, folder: Path) -> Audio:
    found = _probed(video, downloaded.file)
    audio = describe(downloaded.file, found, downloaded.language)
    target = folder / f"{_file_name(video)}.{found.extension}"
    put_in_place(downloaded.file, target)
    return replace(audio, path=target, published_at=downloaded.published_at)


def _probed(video: Video, file: Path) -> Probe:
    try:
        return probe(file)
    except Permanent as error:
        raise Permanent(f"{video.key}, {shown(video.media_url)}: {error.what}", error.remedy) from error


@contextmanager
def _removed_unless_continuable(partial: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not isinstance(error, Transient | Breaker) or not continuable(partial):
            remove_folder(partial)
        raise


def _file_name(video: Video) -> str:
    if not video.key or Path(video.key).name != video.key or video.key.startswith("."):
        raise Permanent(f"{video.key!r} cannot be the name of a file.", "Mend the source.")
    return video.key
