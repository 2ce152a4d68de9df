"""yt-dlp as a library: one audio track, as it comes, into a folder; nothing is re-encoded."""

import io
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ingestion_pipeline.errors import Deferred, EnvironmentFault, Permanent, Transient
from ingestion_pipeline.languages import whisper_language
from ingestion_pipeline.records import Video

from .files import remove_folder
from .network import shown

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

# With the format in the name, a part is never continued by another format.
_NAME = "%(format_id).40s.media"
_NOTE = "total_bytes"
_REPORT_EVERY_S = 5.0


@dataclass(frozen=True)
class Access:
    """By what way, and as whom, sites are asked: through `proxy`, with the cookies of a browser's export."""

    cookies_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """Return yt-dlp's options; raise `EnvironmentFault` for a cookie file that cannot be read."""
        cookies = io.StringIO(self._cookies()) if self.cookies_file else None
        return {"cookiefile": cookies, **({"proxy": self.proxy} if self.proxy else {})}

    def _cookies(self) -> str:
        """Return the text of the file: yt-dlp writes its cookies back at its end, and so writes to a copy."""
        assert self.cookies_file is not None
        try:
            return self.cookies_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise EnvironmentFault(
                f"The cookies in {self.cookies_file} cannot be read: {reason}.", "See COOKIES_FILE."
            ) from error


DIRECT = Access()


@dataclass
class Warnings:
    """A logger for yt-dlp: keeps the warnings, some of which say more than the error that follows."""

    lines: list[str] = field(default_factory=list)

    def debug(self, message: str) -> None:
        """Drop it."""

    def error(self, message: str) -> None:
        """Drop it: it is raised as well."""

    def warning(self, message: str) -> None:
        """Keep it."""
        self.lines.append(message)

    @property
    def hints(self) -> str:
        """What they say about the JavaScript runtime, without which formats are missing."""
        return " ".join(line for line in self.lines if "JavaScript runtime" in line or "challenge solving" in line)


class Watch:
    """A progress hook: stops a download that grows too large, and reports every few seconds and at the end."""

    def __init__(self, video: Video, partial: Path, max_bytes: int, report: Callable[[str], None]) -> None:
        self._video, self._partial, self._max_bytes, self._report = video, partial, max_bytes, report
        self._reported_at = time.monotonic()
        self._total: int | None = None

    def __call__(self, status: dict[str, Any]) -> None:
        """Take yt-dlp's status; raise `Permanent` for too much, `Transient` when it is not what was begun."""
        done, total = status.get("downloaded_bytes") or 0, status.get("total_bytes")
        if max(done, total or 0) > self._max_bytes:
            raise Permanent(
                f"{self._video.key} is larger than {self._max_bytes / 1e6:g} MB.", "Raise MAX_AUDIO_MB to take it."
            )
        if total != self._total:
            self._compare(total)
        self._maybe_report(status, done, total)

    def _compare(self, total: int | None) -> None:
        """Advertisements change from request to request: a part must not be continued by another recording's rest."""
        self._total = total
        note = self._partial / _NOTE
        if note.exists() and note.read_text() != str(total):
            remove_folder(self._partial)
            raise Transient(f"{self._video.key} has changed since its download was begun.", "The next try begins anew.")
        note.write_text(str(total))

    def _maybe_report(self, status: dict[str, Any], done: int, total: int | None) -> None:
        now = time.monotonic()
        if status["status"] == "finished" or now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            self._report(_progress_line(status, done, total))


def continuable(partial: Path) -> bool:
    """Tell whether a folder holds a part of a download, be it a byte."""
    return partial.exists() and any(file.stat().st_size for file in partial.iterdir() if file.name != _NOTE)


def published(info: Mapping[str, Any]) -> datetime | None:
    """Return when what yt-dlp describes was published, where it says so."""
    if info.get("timestamp") is not None:
        return datetime.fromtimestamp(info["timestamp"], UTC)
    if info.get("upload_date"):
        return datetime.strptime(info["upload_date"], "%Y%m%d").replace(tzinfo=UTC)
    return None


@dataclass(frozen=True)
class Downloaded:
    """A file, the language of its track and when it was published, where the page says so."""

    file: Path
    language: str | None
    published_at: datetime | None


def download(
    video: Video, folder: Path, *, watch: Watch, warnings: Warnings, allow_private: bool, access: Access
) -> Downloaded:
    """Download the best audio track in its original language.

    A file that an earlier call left in part is continued. Raises `Permanent` or `Deferred` for what is not one finished
    recording, and whatever yt-dlp raises.
    """
    options = _options(video, folder, watch, warnings, allow_private)
    with youtube_dl(options, allow_private=allow_private, access=access) as ydl:
        info: Any = ydl.extract_info(video.media_url)
    entries = [info] if info is not None and "entries" not in info else list((info or {}).get("entries") or ())
    if not entries:
        raise Permanent(f"{video.key}: there is nothing to download at {shown(video.media_url)}.", "Look at the link.")
    found = entries[0]
    file = Path(found["requested_downloads"][0]["filepath"])
    return Downloaded(file, whisper_language(found.get("language")), published(found))


def _options(video: Video, folder: Path, watch: Watch, warnings: Warnings, allow_private: bool) -> dict[str, Any]:
    place = str(folder.absolute()).replace("%", "%%").replace("$", "$$")
    options: dict[str, Any] = {
        "format": "ba/b",
        "outtmpl": {"default": f"{place}/{_NAME}"},
        "final_ext": "mka",  # not used, but without one that yt-dlp holds safe it refuses links that end in .php
        "noplaylist": True,
        "match_filter": lambda info, **_: refuse(video, info),
        "fixup": "never",
        "updatetime": False,
        "external_downloader": "native",
        "skip_unavailable_fragments": False,
        "retries": 3,
        "fragment_retries": 3,
        "socket_timeout": 30,
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "logger": warnings,
        "progress_hooks": [watch],
    }
    # ffmpeg and rtmpdump would connect unseen; a place where it is not hides the first.
    unseen = {"ffmpeg_location": str(folder / "no-ffmpeg"), "format": "ba[protocol!^=rtmp]/b[protocol!^=rtmp]"}
    return options if allow_private else {**options, **unseen}


def refuse(video: Video, info: dict[str, Any]) -> None:
    """Raise `Deferred` for what is not finished and `Permanent` for several things at once."""
    status = info.get("live_status")
    if status in {"is_upcoming", "is_live", "post_live"}:
        words = {"is_upcoming": "is upcoming", "is_live": "is live now", "post_live": "was live and is being processed"}
        due = _due(info)
        when = f", due {due:%Y-%m-%d %H:%M} UTC" if due else ""
        raise Deferred(f"{video.key} {words[status]}{when}.", "It is looked at again when it is due.", due)
    if (info.get("n_entries") or 1) > 1:
        raise Permanent(
            f"{video.key}: {shown(video.media_url)} is a list of {info['n_entries']}, not one recording.",
            "Make it a source of its own.",
        )


def _due(info: dict[str, Any]) -> datetime | None:
    due = info.get("release_timestamp")
    return datetime.fromtimestamp(due, UTC) if due else None


def youtube_dl(options: dict[str, Any], *, allow_private: bool, access: Access = DIRECT) -> "YoutubeDL":
    """Return a `YoutubeDL` to use in a `with` block; its connections can all be checked unless `allow_private`."""
    from yt_dlp import YoutubeDL
    from yt_dlp.networking.exceptions import HTTPError

    class Downloader(YoutubeDL):  # type: ignore[misc]
        """Leaves no connection open and, for the check of addresses, does without libcurl, which connects unseen."""

        def build_request_director(self, handlers: Iterable[Any], *preferences: object) -> object:
            seen = [handler for handler in handlers if allow_private or handler.RH_KEY != "CurlCFFI"]
            return super().build_request_director(seen, *preferences)

        def urlopen(self, req: object) -> object:
            try:
                response = super().urlopen(req)
            except HTTPError as error:
                responses.add(error.response)
                raise
            responses.add(response)
            return response

        def close(self) -> None:
            for response in responses:
                response.close()
            super().close()

    responses: WeakSet[Any] = WeakSet()
    return Downloader({**options, **access.options()})


def _progress_line(status: dict[str, Any], done: int, total: int | None) -> str:
    if status["status"] == "finished":
        return f"{done / 1e6:.1f} MB downloaded in {status.get('elapsed') or 0:.0f} s"
    share = f"{done / total:.0%} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
    return f"{share} downloaded, {(status.get('speed') or 0) / 1e6:.1f} MB/s"
