"""YouTube's channels: which page is one, where its uploads are, and whether there is a new one."""

import hashlib
import re
from collections.abc import Callable

from ingestion_pipeline.errors import SourceFault, SourceRefused

from .entries import NOTHING
from .fetching import fetch

ATOM = "https://www.youtube.com/feeds/videos.xml"
"""The feeds of channels, each with its latest 15 uploads; often out in 2026, and then HTTP 404."""
WATCH = "https://www.youtube.com/watch?v="
_CHANNEL = re.compile(
    r"https?://(?:www\.|m\.)?youtube\.com/(?:channel/(UC[\w-]{22})|@[^/?#]+|c/[^/?#]+|user/[^/?#]+)"
    r"(/videos|/shorts|/streams)?/?"
)
_UPLOAD = re.compile(rb"<yt:videoId>([\w-]{11})</yt:videoId>")


def is_channel(url: str) -> bool:
    """Tell whether an address is that of a channel, or of one of its tabs."""
    return _CHANNEL.fullmatch(url) is not None


def is_tab(url: str) -> bool:
    """Tell whether an address is that of one tab of a channel, which does not hold all uploads."""
    match = _CHANNEL.fullmatch(url)
    return match is not None and match[2] is not None


def channel_in(url: str) -> str | None:
    """Return the channel's id where the address has it; that of a handle has not."""
    match = _CHANNEL.fullmatch(url)
    return match[1] if match else None


def uploads(channel_id: str) -> str:
    """Return the playlist of all uploads of a channel, newest first; unlike tabs it does not end after some 600."""
    return f"https://www.youtube.com/playlist?list=UU{channel_id.removeprefix('UC')}"


def latest_uploads(name: str, atom: str, on_warning: Callable[[str], None]) -> str | None:
    """Return what names the latest uploads in an Atom feed, None where the feed does not say."""
    try:
        answer = fetch(name, atom, NOTHING)
    except SourceRefused:
        raise
    except SourceFault as fault:
        on_warning(f"{fault.what} The channel itself is asked.")
        return None
    found = _UPLOAD.findall(answer.body) if answer else []
    return hashlib.sha256(b" ".join(found)).hexdigest()[:16] if found else None
