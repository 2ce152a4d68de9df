"""What listing a source gives, and the rule for the titles in it."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ingestion_pipeline.errors import IngestionError
from ingestion_pipeline.records import Video

MAX_TITLE = 500
_NOT_TEXT = {"Cc", "Cs"}


@dataclass(frozen=True)
class FeedState:
    """What a web server said of a feed's version; sent back with the next request."""

    etag: str | None = None
    last_modified: str | None = None


NOTHING = FeedState()
"""Where no version is known, or none is to be asked about."""


@dataclass(frozen=True)
class Listing:
    """Videos, newest first, and the entries that were refused; `state` is empty except for feeds and channels.

    `unchanged` says that the source is as `state` knew it, so that nothing was listed. `rough_dates` are those, by key,
    that are good enough to sort by and too rough to keep. `channel_id` is that of a YouTube channel.
    """

    videos: tuple[Video, ...] = ()
    faults: tuple[IngestionError, ...] = ()
    state: FeedState = NOTHING
    unchanged: bool = False
    rough_dates: Mapping[str, datetime] = field(default_factory=dict)
    channel_id: str | None = None


def clean_title(text: str | None) -> str:
    """Return the text on one line of at most 500 characters, without control characters; emoji and quotes stay."""
    kept = (" " if character.isspace() else character for character in text or "")
    printable = "".join(character for character in kept if unicodedata.category(character) not in _NOT_TEXT)
    return " ".join(printable.split())[:MAX_TITLE].rstrip()
