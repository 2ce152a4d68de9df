"""A channel as it is listed from day to day: its feed, the beginning of its uploads, and once a day all of them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ingestion_pipeline.audio.ytdlp import Access
from ingestion_pipeline.discovery import config_hash, discover
from ingestion_pipeline.errors import SourceFault, SourceRefused
from ingestion_pipeline.politeness import Web
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.entries import FeedState
from ingestion_pipeline.sources.listing import Listing, list_source
from ingestion_pipeline.sources.plan import RECENT, Plan
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.catalogue import SourceState
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_channel, use_video_site
from ingestion_pipeline_tests.support.web import Site, serving

ID = "UCqj7Cz7revf5maW9g5pgNcg"


@pytest.fixture
def site() -> Iterator[Site]:
    use_video_site()
    with serving() as site:
        yield site


class Channel:
    """A channel with a tab of videos and one of shorts, and its Atom feed."""

    def __init__(self, site: Site, uploads: int) -> None:
        self.site = site
        self.publish(uploads)

    def publish(self, uploads: int) -> None:
        videos = [SiteVideo(f"video-{n:05}", f"Video {n}") for n in reversed(range(uploads))]
        shorts = [SiteVideo("short-00001", short=True)]
        self.url = add_channel(self.site, "c", {"Videos": videos, "Shorts": shorts}, channel_id=ID)
        entries = "".join(f"<entry><yt:videoId>{video.id}</yt:videoId></entry>" for video in videos[:15])
        self.atom = self.site.add("/atom", f"<feed>{entries}</feed>", "text/xml")

    def listed(self, state: FeedState | None = None, **filters: object) -> Listing:
        """List it as on an ordinary day."""
        source = Source(name="c", url=self.url, **filters)  # type: ignore[arg-type]
        plan = Plan(self.url, RECENT, self.atom, state or FeedState())
        return list_source(source, plan, on_warning=print, allow_private=True)

    def asked(self) -> list[str]:
        """Return what the site was asked since the last look."""
        paths = [path.removeprefix("/testsite/") for _, path, _ in self.site.requests]
        self.site.requests.clear()
        return paths


@pytest.fixture
def channel(site: Site) -> Channel:
    return Channel(site, uploads=100)


def test_a_feed_that_names_the_same_uploads_spares_the_channel(channel: Channel) -> None:
    first = channel.listed()
    assert len(first.videos) == RECENT + 1
    channel.asked()
    again = channel.listed(first.state)
    assert (again.unchanged, again.videos, again.state) == (True, (), first.state)
    assert channel.asked() == ["/atom"]


def test_behind_a_proxy_the_feed_which_does_not_know_it_is_left_out(channel: Channel) -> None:
    source, plan = Source(name="c", url=channel.url), Plan(channel.url, RECENT, channel.atom)
    with pytest.raises(SourceFault):  # the site is no proxy
        list_source(source, plan, on_warning=print, allow_private=True, access=Access(proxy=channel.site.url))
    assert not any("/atom" in path for path in channel.asked())


def test_a_new_upload_is_found_with_one_page_of_each_tab(channel: Channel) -> None:
    state = channel.listed().state
    channel.asked()
    channel.publish(101)
    assert channel.listed(state).videos[0].title == "Video 100"
    assert channel.asked() == ["/atom", "channel/c", "list/c/Videos/0", "list/c/Shorts/0"]


def test_filters_hold_for_what_the_feed_alone_would_not_tell(channel: Channel) -> None:
    assert channel.listed(min_duration=91).videos == ()
    assert not any("short" in video.source_id for video in channel.listed(shorts=False).videos)


@pytest.mark.parametrize("body", [None, "<feed></feed>"])
def test_a_feed_that_is_out_or_empty_says_nothing_and_the_channel_is_asked(channel: Channel, body: str | None) -> None:
    state = channel.listed().state
    channel.site.pages.pop("/atom")
    if body is not None:
        channel.site.add("/atom", body, "text/xml")
    listing = channel.listed(state)
    assert (len(listing.videos), listing.state) == (RECENT + 1, FeedState())


def test_a_feed_that_refuses_spares_the_channel(channel: Channel) -> None:
    state = channel.listed().state
    channel.asked()
    channel.site.add("/atom", "", "text/plain", status=429)
    with pytest.raises(SourceRefused):
        channel.listed(state)
    assert channel.asked() == ["/atom"]


def test_the_whole_channel_has_no_end_and_tells_its_id(channel: Channel) -> None:
    source = Source(name="c", url=channel.url)
    listing = list_source(source, Plan(channel.url), on_warning=pytest.fail, allow_private=True)
    assert len(listing.videos) == 101
    assert listing.channel_id == ID
    assert "/atom" not in channel.asked()


def test_a_discovery_asks_the_feed_of_a_channel_whose_id_it_has_learned(database: Database, channel: Channel) -> None:
    version = channel.listed().state.etag
    channel.asked()
    source = Source(name="c", url="https://www.youtube.com/@example")
    learned = SourceState(config_hash(source), version, None, datetime.now(UTC), ID)
    with database.connection() as connection:
        catalogue.save_source_state(connection, "c", learned)
    found = discover(database, [source], Web(allow_private=True), atom=channel.atom, log=print)
    assert (found.listed, found.failed) == (0, {})
    assert channel.asked() == [f"/atom?channel_id={ID}"]
    with database.connection() as connection:
        assert catalogue.source_state(connection, "c") == learned
