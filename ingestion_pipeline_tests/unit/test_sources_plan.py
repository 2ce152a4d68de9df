"""Which way a source is listed: the cheapest that misses nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.entries import FeedState, Listing
from ingestion_pipeline.sources.filters import newest_of_all
from ingestion_pipeline.sources.plan import RECENT, Known, Plan, plan_of
from ingestion_pipeline.sources.youtube import is_channel
from ingestion_pipeline_tests.support.examples import video

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ID = "UCqj7Cz7revf5maW9g5pgNcg"
BY_ID = f"https://www.youtube.com/channel/{ID}"
BY_HANDLE = "https://www.youtube.com/@example"
UPLOADS = f"https://www.youtube.com/playlist?list=UU{ID[2:]}"
ATOM = f"https://www.youtube.com/feeds/videos.xml?channel_id={ID}"
STATE = FeedState("a version")
LISTED = Known(STATE, ID, NOW - timedelta(hours=1))


def plan(url: str, known: Known, **filters: object) -> Plan:
    return plan_of(Source(name="c", url=url, **filters), known, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", [BY_ID, f"{BY_ID}/", BY_HANDLE, "https://m.youtube.com/@example"])
def test_a_channel_is_asked_by_its_feed_and_then_by_the_beginning_of_its_uploads(url: str) -> None:
    assert plan(url, LISTED) == Plan(UPLOADS, RECENT, ATOM, STATE)


def test_once_a_day_the_whole_channel_is_listed() -> None:
    day_ago = replace(LISTED, reconciled_at=NOW - timedelta(days=1))
    assert plan(BY_HANDLE, day_ago) == Plan(UPLOADS)
    assert plan(BY_HANDLE, day_ago).whole
    assert not plan(BY_HANDLE, LISTED).whole


def test_a_channel_without_a_known_id_is_listed_at_its_own_address() -> None:
    assert plan(BY_HANDLE, Known()) == Plan(BY_HANDLE)
    assert plan(BY_HANDLE, replace(LISTED, channel_id=None)) == Plan(BY_HANDLE, state=STATE)
    assert plan(BY_ID, Known()) == Plan(UPLOADS)


@pytest.mark.parametrize("filters", [{"shorts": False}, {"live": False}])
def test_where_shorts_or_streams_are_not_wanted_the_tabs_tell_them_apart(filters: dict[str, bool]) -> None:
    assert plan(BY_ID, LISTED, **filters) == Plan(BY_ID, RECENT, ATOM, STATE)


def test_one_tab_of_a_channel_stays_one_tab() -> None:
    assert plan(f"{BY_HANDLE}/streams", LISTED) == Plan(f"{BY_HANDLE}/streams", RECENT, ATOM, STATE)


@pytest.mark.parametrize(
    "url",
    [
        f"https://www.youtube.com/playlist?list=PL{ID[2:]}",
        "https://www.youtube.com/watch?v=jNQXAC9IVRw",
        f"{BY_HANDLE}/playlists",
        f"https://example.org/channel/{ID}",
        "https://example.org/?https://www.youtube.com/@example",
    ],
)
def test_what_is_no_channel_is_listed_from_end_to_end(url: str) -> None:
    assert not is_channel(url)
    assert plan(url, replace(LISTED, channel_id=None, state=FeedState())) == Plan(url)


def test_a_feed_is_asked_for_changes_and_once_a_day_for_all() -> None:
    source = Source(name="pod", feed="https://example.org/feed")
    assert plan_of(source, Known(STATE, None, NOW - timedelta(hours=1)), NOW) == Plan(None, state=STATE)
    assert plan_of(source, Known(STATE, None, NOW - timedelta(days=2)), NOW) == Plan(None)
    assert plan_of(Source(name="here", folder=Path("/talks")), Known(), NOW) == Plan(None)


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


def test_the_newest_of_all_sources_come_first_each_once() -> None:
    one = Listing((video(1, published_at=day(9)), video(2, published_at=day(3))))
    other = Listing((video(3, published_at=day(5)), video(2, published_at=day(8)), video(4, published_at=day(1))))
    assert [found.key for found in newest_of_all([one, other])] == [video(number).key for number in (1, 3, 2, 4)]


def test_a_rough_date_is_good_enough_to_sort_by() -> None:
    undated = [video(number, published_at=None) for number in (1, 2)]
    channel = Listing(tuple(undated), rough_dates={undated[0].key: day(7), undated[1].key: day(2)})
    podcast = Listing((video(3, published_at=day(5)),))
    assert [found.key for found in newest_of_all([channel, podcast])] == [video(number).key for number in (1, 3, 2)]


def test_what_has_no_date_goes_with_its_neighbours_and_a_list_without_dates_last() -> None:
    upcoming, dated, between = video(1, published_at=None), video(2, published_at=day(4)), video(3, published_at=None)
    undated = Listing((video(4, published_at=None), video(5, published_at=None)))
    podcast = Listing((video(6, published_at=day(1)),))
    found = newest_of_all([undated, Listing((upcoming, dated, between)), podcast])
    assert [one.key for one in found] == [video(number).key for number in (1, 2, 3, 6, 4, 5)]
