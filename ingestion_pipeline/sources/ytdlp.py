"""How yt-dlp is set up for listing, and what its errors say."""

import re
from collections.abc import Callable
from typing import Any

from ingestion_pipeline.audio.failures import meaning_of
from ingestion_pipeline.audio.files import causes
from ingestion_pipeline.audio.network import shown
from ingestion_pipeline.errors import Breaker, IngestionError, PrivateAddress, SourceFault, SourceRefused

from .config import Source

_TIMEOUT_S = 30


class _Log:
    """yt-dlp's logger: warnings are passed on, errors are raised anyway."""

    def __init__(self, on_warning: Callable[[str], None]) -> None:
        self.warning = on_warning

    def debug(self, _message: str) -> None:
        """Ignore."""

    def error(self, _message: str) -> None:
        """Ignore: it is raised as well."""


def options(on_warning: Callable[[str], None]) -> dict[str, Any]:
    """Return the parameters of a `YoutubeDL` that lists, downloads nothing and passes its warnings on."""
    return {
        "quiet": True,
        "logger": _Log(lambda message: on_warning(_one_line(message))),
        "color": {"stdout": "no_color", "stderr": "no_color"},
        "skip_download": True,
        "extract_flat": "in_playlist",
        "lazy_playlist": True,
        "socket_timeout": _TIMEOUT_S,
        # Else YouTube's lists have no dates at all and `since` would let everything pass.
        "extractor_args": {"youtubetab": {"approximate_date": ["true"]}},
    }


def fault(source: Source, error: Exception) -> IngestionError:
    """Return the `SourceFault` for an error of yt-dlp, `SourceRefused` where the site refuses this machine.

    Where a `PrivateAddress` lies behind it, that.
    """
    for cause in causes(error):
        if isinstance(cause, PrivateAddress):
            return cause
    reason = _one_line(str(error)) or type(error).__name__
    kind, _ = meaning_of(str(error))
    return (SourceRefused if kind is Breaker else SourceFault)(
        f"Source {source.name}: {shown(str(source.url))} cannot be listed: {reason.rstrip('.')}.",
        "Open it in a browser; if it is right, update yt-dlp.",
    )


def _one_line(message: str) -> str:
    message = re.sub(r"[;.]? *please report this issue.*", "", message, flags=re.IGNORECASE | re.DOTALL)
    message = re.sub(r" *\(caused by .*\)", "", message, flags=re.DOTALL)
    return " ".join(message.removeprefix("ERROR: ").removeprefix("WARNING: ").split())
