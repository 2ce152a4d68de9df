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
from .plan import Plan
from .sites import list_site
from .youtube import latest_uploads

__all__ = ["FeedState", "Listing", "list_source"]


def list_source(
    source: Source,
    plan: Plan | None = None,
    *,
    on_warning: Callable[[str], None],
    allow_private: bool = False,
    access: Access = DIRECT,
) -> Listing:
    """List the videos that the source wants, newest first, each key once; raise `SourceFault` if it cannot be listed.

    `plan` says how, by default from end to end: what has not changed since its state gives no videos and `unchanged`.
    Raises `PrivateAddress` where a link leads into the own network, unless `allow_private`.
    """
    with nullcontext() if allow_private else private_addresses_refused(access.proxy):
        listing = _listed(source, plan or Plan(source.url), on_warning, allow_private, access)
    first_of_key = {video.key: video for video in reversed(listing.videos)}
    once = [video for video in listing.videos if first_of_key[video.key] is video]
    return replace(listing, videos=tuple(choose(once, source)))


def _listed(
    source: Source, plan: Plan, on_warning: Callable[[str], None], allow_private: bool, access: Access
) -> Listing:
    if source.feed is not None:
        return list_feed(source, plan.state, on_warning=on_warning)
    if plan.url is None:
        return list_folder(source)
    # The feed is asked without yt-dlp, and so not by way of the proxy, without which the site may refuse.
    probe = None if access.proxy else plan.probe
    version = latest_uploads(source.name, probe, on_warning) if probe else None
    if version and version == plan.state.etag:
        return Listing(state=plan.state, unchanged=True)
    listing = list_site(
        source, plan.url, most=plan.most, on_warning=on_warning, allow_private=allow_private, access=access
    )
    return replace(listing, state=FeedState(version))
