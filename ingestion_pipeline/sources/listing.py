"""Lists a source, whatever its kind."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from ingestion_pipeline.audio.network import private_addresses_refused
from ingestion_pipeline.audio.ytdlp import DIRECT, Access

from .config import Source
from .entries import FeedState, Listing
from .feeds import list_feed
from .filters import choose
from .folders import list_folder
from .sites import list_site

__all__ = ["FeedState", "Listing", "list_source"]


def list_source(
    source: Source,
    state: FeedState | None = None,
    *,
    on_warning: Callable[[str], None],
    allow_private: bool = False,
    access: Access = DIRECT,
) -> Listing:
    """List the videos that the source wants, newest first, each key once; raise `SourceFault` if it cannot be listed.

    `state` is that of the last listing: a feed that has not changed since gives no videos and `unchanged`. Raises
    `PrivateAddress` where a link leads into the own network, unless `allow_private`.
    """
    with nullcontext() if allow_private else private_addresses_refused(access.proxy):
        listing = _listed(source, state or FeedState(), on_warning, allow_private, access)
    first_of_key = {video.key: video for video in reversed(listing.videos)}
    once = [video for video in listing.videos if first_of_key[video.key] is video]
    return replace(listing, videos=tuple(choose(once, source)))


def _listed(
    source: Source, state: FeedState, on_warning: Callable[[str], None], allow_private: bool, access: Access
) -> Listing:
    if source.feed is not None:
        return list_feed(source, state, on_warning=on_warning)
    if source.url is not None:
        return list_site(source, on_warning=on_warning, allow_private=allow_private, access=access)
    return list_folder(source)
