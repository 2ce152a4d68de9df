"""What listing a source gives, and the rule for the titles in it."""

import unicodedata
from dataclasses import dataclass

from ingestion_pipeline.errors import IngestionError
from ingestion_pipeline.records import Video

MAX_TITLE = 500
_NOT_TEXT = {"Cc", "Cs"}


@dataclass(frozen=True)
class FeedState:
    """What a web server said of a feed's version; sent back with the next request."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Listing:
    """Videos, newest first, and the entries that were refused; `state` is empty except for feeds.

    `unchanged` says that the feed is as `state` knew it, so that nothing was listed.
    """

    videos: tuple[Video, ...] = ()
    faults: tuple[IngestionError, ...] = ()
    state: FeedState = FeedState()
    unchanged: bool = False


def clean_title(text: str | None) -> str:
    """Return the text on one line of at most 500 characters, without control characters; emoji and quotes stay."""
    kept = (" " if character.isspace() else character for character in text or "")
    printable = "".join(character for character in kept if unicodedata.category(character) not in _NOT_TEXT)
    return " ".join(printable.split())[:MAX_TITLE].rstrip()
