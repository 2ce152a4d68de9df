from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.records import Video
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.entries import clean_title
from ingestion_pipeline.sources.filters import choose, is_wanted, newest_first


def a_video(**changes: object) -> Video:
    known = {"key": "k", "source": "s", "extractor": "x", "source_id": "1", "title": "An interview"}
    return Video(**known | {"media_url": "https://e.org/watch/1", "page_url": "https://e.org/watch/1"} | changes)


def a_source(**filters: object) -> Source:
    return Source(name="s", url="https://e.org", **filters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "passes", "is_dropped"),
    [
        ({"title": "(?i)INTER"}, {}, {"title": "A song"}),
        ({"min_duration": 60}, {"duration_s": 60}, {"duration_s": 59.9}),
        ({"max_duration": 60}, {"duration_s": 60}, {"duration_s": 60.1}),
        ({"min_duration": 60, "max_duration": 90}, {"duration_s": None}, {"duration_s": 0}),
        (
            {"since": date(2025, 1, 1)},
            {"published_at": datetime(2025, 1, 1, tzinfo=UTC)},
            {"published_at": datetime(2024, 12, 31, 23, 59, tzinfo=UTC)},
        ),
        ({"shorts": False}, {}, {"page_url": "https://www.youtube.com/shorts/abcdefghijk"}),
        ({"live": False}, {"live_status": "not_live"}, {"live_status": "was_live"}),
        ({"live": False}, {"live_status": None}, {"live_status": "is_upcoming"}),
    ],
)
def test_each_filter(filters: dict[str, Any], passes: dict[str, Any], is_dropped: dict[str, Any]) -> None:
    assert is_wanted(a_video(**passes), a_source(**filters))
    assert not is_wanted(a_video(**is_dropped), a_source(**filters))
    assert is_wanted(a_video(**is_dropped), a_source())


def test_an_unknown_date_passes() -> None:
    assert is_wanted(a_video(published_at=None), a_source(since=date(2025, 1, 1)))


def test_newest_counts_what_passes_the_other_filters() -> None:
    videos = [a_video(key=str(day), published_at=datetime(2025, 1, day, tzinfo=UTC)) for day in range(1, 9)]
    long = [a_video(key="long", duration_s=999, published_at=datetime(2025, 2, 1, tzinfo=UTC))]
    chosen = choose([*videos, *long], a_source(max_duration=100, newest=2))
    assert [video.key for video in chosen] == ["8", "7"]


dates = st.none() | st.datetimes(min_value=datetime(1990, 1, 1), timezones=st.just(UTC))


@given(st.lists(dates))
def test_sorting_keeps_every_video_and_the_order_of_the_listing(published: list[datetime | None]) -> None:
    videos = [a_video(key=str(place), published_at=date) for place, date in enumerate(published)]
    ordered = newest_first(videos)
    known = [video.published_at for video in ordered if video.published_at]
    assert known == sorted(known, reverse=True)
    assert sorted(videos, key=lambda video: int(video.key)) == sorted(ordered, key=lambda video: int(video.key))
    if not any(published):
        assert ordered == videos


def test_a_video_without_a_date_stays_behind_its_predecessor() -> None:
    days = [None, 3, None, 9]
    videos = [
        a_video(key=str(place), published_at=day and datetime(2025, 1, day, tzinfo=UTC))
        for place, day in enumerate(days)
    ]
    assert [video.key for video in newest_first(videos)] == ["0", "3", "1", "2"]


def test_a_title_keeps_what_people_read() -> None:
    assert clean_title('Zoë „sagt“ "best"\n 🎙️\x00\x1b[31m <3 \ud800') == 'Zoë „sagt“ "best" 🎙️[31m <3'
    assert len(clean_title("ä" * 900)) == 500
    assert clean_title(None) == ""
