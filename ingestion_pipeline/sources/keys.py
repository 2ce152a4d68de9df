"""Partition keys: the same video has the same key on every machine and in every listing."""

import hashlib
import re

_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S", re.IGNORECASE)
_LONG_ENOUGH, _TOO_LONG = 16, 500


def partition_key(extractor: str, source_id: str) -> str:
    """Return YouTube's own id, or `<extractor>-<12 hex digits>`; never with "..." or control characters in it."""
    if extractor.lower() == "youtube" and is_youtube_id(source_id):
        return source_id
    short = re.sub(r"[^a-z0-9]", "", extractor.lower())[:16]
    digest = hashlib.sha256(f"{extractor}\n{source_id}".encode()).hexdigest()
    return f"{short or 'video'}-{digest[:12]}"


def is_youtube_id(text: str) -> bool:
    """Tell whether a text has the form of a YouTube id."""
    return _YOUTUBE_ID.fullmatch(text) is not None


def episode_id(feed_url: str, guid: str, enclosure_url: str) -> str:
    """Return what names an episode: its guid if that can be no other feed's, else the feed's URL and the guid.

    A feed that moves keeps its keys where the guid is a URI, a UUID or long; without a guid the enclosure names it.
    The hash stands for a guid that PostgreSQL could not index: one with a NUL in it, or a very long one.
    """
    guid = guid.strip() or enclosure_url
    if len(guid) > _TOO_LONG or not guid.isprintable():
        return f"sha256:{hashlib.sha256(guid.encode(errors='replace')).hexdigest()}"
    if _URI.match(guid) or len(guid) >= _LONG_ENOUGH:
        return guid
    return f"{feed_url} {guid}"
