"""Discovery: sources listed over real HTTP into a real catalogue."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from ingestion_pipeline.discovery import Discovery, discover
from ingestion_pipeline.errors import PrivateAddress, SourceFault
from ingestion_pipeline.politeness import Web
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.web import Site

FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def feed(*titles: str) -> str:
    items = "".join(
        f"<item><title>{title}</title><guid>urn:{title}</guid>"
        f"<pubDate>{format_datetime(FIRST + timedelta(days=day))}</pubDate>"
        f'<enclosure url="https://example.org/{title}.mp3" type="audio/mpeg"/></item>'
        for day, title in enumerate(titles)
    )
    return f'<rss version="2.0"><channel><title>Pod</title>{items}</channel></rss>'


def listed(database: Database, *sources: Source, limit: int | None = None) -> Discovery:
    return discover(database, sources, Web(allow_private=True), limit=limit, log=lambda _: None)


def states(database: Database, column: str) -> dict[str, Any]:
    with database.connection() as connection:
        return dict(connection.execute(f"select name, {column} from sources").fetchall())  # type: ignore[arg-type]


def titles(found: Discovery) -> list[str]:
    return [video.title for video in found.new]


def test_new_videos_are_new_once(database: Database, site: Site) -> None:
    source = Source(name="pod", feed=site.add("/feed", feed("one", "two"), "application/rss+xml"))
    assert titles(listed(database, source)) == ["two", "one"]
    assert titles(listed(database, source)) == []
    assert site.requests[-1][2] == 304
    site.add("/feed", feed("one", "two", "three"), "application/rss+xml")
    assert titles(listed(database, source)) == ["three"]


def test_a_changed_filter_lists_an_unchanged_feed_again(database: Database, site: Site) -> None:
    url = site.add("/feed", feed("one", "two"), "application/rss+xml")
    assert titles(listed(database, Source(name="pod", feed=url, newest=1))) == ["two"]
    assert titles(listed(database, Source(name="pod", feed=url))) == ["one"]


def test_the_limit_takes_the_newest_and_drops_none(database: Database, site: Site) -> None:
    source = Source(name="pod", feed=site.add("/feed", feed("one", "two", "three"), "application/rss+xml"))
    first = listed(database, source, limit=2)
    assert (titles(first), first.waiting) == (["three", "two"], 1)
    assert titles(listed(database, source, limit=2)) == ["one"]


def test_the_limit_takes_the_newest_of_all_sources(database: Database, site: Site) -> None:
    sources = [
        Source(name=name, feed=site.add(f"/{name}", feed(*parts), "application/rss+xml"))
        for name, parts in (("a", ("a0", "a1")), ("b", ("b0", "b1", "b2", "b3")))
    ]
    first = listed(database, *sources, limit=3)
    assert (titles(first), first.waiting) == (["b3", "b2", "a1"], 3)
    second = listed(database, *sources, limit=2)
    assert (titles(second), second.waiting) == (["b1", "a0"], 1)
    assert titles(listed(database, *sources, limit=2)) == ["b0"]
    assert [listed(database, *sources).listed for _ in range(2)] == [0, 0]


def test_the_videos_to_do_are_in_the_order_of_the_listing_where_they_have_no_date(
    database: Database, site: Site
) -> None:
    undated = re.sub(r"<pubDate>.*?</pubDate>", "", feed("newest", "older", "oldest"))
    listed(database, Source(name="pod", feed=site.add("/feed", undated, "application/rss+xml")))
    with database.connection() as connection:
        keys = catalogue.videos_to_do(connection, "any")
        assert [catalogue.video_of(connection, key).title for key in keys] == ["newest", "older", "oldest"]


def test_two_sources_of_the_same_video_give_one(database: Database, site: Site) -> None:
    url = site.add("/feed", feed("one"), "application/rss+xml")
    found = listed(database, Source(name="a", feed=url), Source(name="b", feed=url))
    assert (found.listed, len(found.new)) == (2, 1)
    with database.connection() as connection:
        assert catalogue.video_of(connection, found.new[0].key).source == "a"


def test_a_source_that_is_down_does_not_stop_the_others(database: Database, site: Site) -> None:
    good = Source(name="good", feed=site.add("/feed", feed("one"), "application/rss+xml"))
    bad = Source(name="bad", feed=f"{site.url}/absent")
    found = listed(database, bad, good)
    assert (titles(found), list(found.failed)) == (["one"], ["bad"])
    (fault,) = found.faults
    assert isinstance(fault, SourceFault)
    assert "bad" in str(fault)
    assert "404" in str(fault)


def test_what_was_listed_before_a_discovery_is_killed_is_saved(database: Database, site: Site) -> None:
    sources = [Source(name=name, feed=site.add(f"/{name}", feed(name), "application/rss+xml")) for name in "abc"]

    def killed(line: str) -> None:
        if line.startswith("c:"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        discover(database, sources, Web(allow_private=True), log=killed)
    with database.connection() as connection:
        assert len(catalogue.all_keys(connection)) == 2
    assert titles(listed(database, *sources)) == ["c"]


def test_each_source_keeps_why_it_could_not_be_listed_until_it_can(database: Database, site: Site) -> None:
    good = Source(name="good", feed=site.add("/feed", feed("one"), "application/rss+xml"))
    bad = Source(name="bad", feed=f"{site.url}/absent")
    listed(database, bad, good)
    errors = states(database, "error")
    assert errors["good"] is None
    assert "404" in errors["bad"]
    site.add("/absent", feed("two"), "application/rss+xml")
    assert titles(listed(database, bad, good)) == ["two"]
    assert states(database, "error") == {"good": None, "bad": None}


def test_a_source_that_was_down_is_asked_for_what_changed_since_it_was_up(database: Database, site: Site) -> None:
    url = site.add("/feed", feed("one"), "application/rss+xml")
    source = Source(name="pod", feed=url)
    listed(database, source)
    del site.pages["/feed"]
    assert listed(database, source).failed
    site.add("/feed", feed("one"), "application/rss+xml")
    listed(database, source)
    assert [status for _, _, status in site.requests] == [200, 404, 304]


def test_a_source_that_is_left_out_is_forgotten_and_its_videos_stay(database: Database, site: Site) -> None:
    one, other = (
        Source(name=name, feed=site.add(f"/{name}", feed(name), "application/rss+xml")) for name in ("one", "other")
    )
    listed(database, one, other)
    listed(database, one)
    assert states(database, "error") == {"one": None}
    with database.connection() as connection:
        assert len(catalogue.all_keys(connection)) == 2


def test_once_a_day_an_unchanged_feed_is_listed_again(database: Database, site: Site) -> None:
    source = Source(name="pod", feed=site.add("/feed", feed("one"), "application/rss+xml"))
    assert [listed(database, source).listed for _ in range(2)] == [1, 0]
    with database.connection() as connection:
        connection.execute("update sources set reconciled_at = now() - interval '25 hours'")
    assert [listed(database, source).listed for _ in range(2)] == [1, 0]


def test_the_own_network_is_refused_unless_allowed(database: Database, site: Site) -> None:
    sources = [Source(name="pod", feed=f"{site.url}/feed"), Source(name="page", url=f"{site.url}/page")]
    found = discover(database, sources, Web(), log=lambda _: None)
    assert [type(fault) for fault in found.faults] == [PrivateAddress, PrivateAddress]
    assert all(source.name in str(fault) for source, fault in zip(sources, found.faults, strict=True))
    assert "ALLOW_PRIVATE_ADDRESSES" in str(found.faults[0])
    assert site.requests == []


@pytest.mark.parametrize("guid", ["with a &#0; in it", "".join(map(str, range(5000)))], ids=["NUL", "long"])
def test_an_odd_guid_is_no_hindrance(database: Database, site: Site, guid: str) -> None:
    body = feed("one", "two").replace("<guid>urn:one<", f"<guid>{guid}<")
    source = Source(name="pod", feed=site.add("/feed", body, "application/rss+xml"))
    assert titles(listed(database, source)) == ["two", "one"]
    assert titles(listed(database, source)) == []


@pytest.mark.parametrize("title", ['"quoted" title -- ;', "🎧" * 100, "x" * 10_000])
def test_odd_titles_are_listed(database: Database, site: Site, title: str) -> None:
    body = feed("one").replace("<title>one</title>", f"<title>{title}</title>")
    source = Source(name="pod", feed=site.add("/feed", body, "application/rss+xml; charset=utf-8"))
    (video,) = listed(database, source).new
    assert title.startswith(video.title.removesuffix("…").strip())
