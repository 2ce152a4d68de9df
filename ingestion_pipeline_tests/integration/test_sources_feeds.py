import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from ingestion_pipeline.errors import Permanent, PrivateAddress, SourceFault
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.listing import FeedState, Listing, list_source
from ingestion_pipeline.sources.plan import Plan
from ingestion_pipeline_tests.support.web import Site, serving

ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def item(number: int, enclosure: str = "", more: str = "") -> str:
    return f"""<item><title>Episode {number} &amp;amp; more</title><guid isPermaLink="false">episode-{number}</guid>
        <pubDate>Tue, {number:02} Jul 2025 10:00:00 +0200</pubDate><itunes:duration>00:10:0{number}</itunes:duration>
        <enclosure url="{enclosure or f"/audio/{number}.mp3"}" type="audio/mpeg" length="1"/>{more}</item>"""


def rss(*items: str, language: str = "de-AT") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:itunes="{ITUNES}"><channel>
        <title>A „pod“ 🎙️</title><language>{language}</language>{"".join(items)}</channel></rss>"""


def listed(url: str, state: FeedState | None = None, **filters: object) -> Listing:
    source = Source(name="pod", feed=url, **filters)  # type: ignore[arg-type]
    plan = Plan(None, state=state or FeedState())
    return list_source(source, plan, on_warning=pytest.fail, allow_private=True)


def answer_once(server: socket.socket, answer: bytes) -> bytes:
    """Return what the first client asks, having sent it the answer."""
    connection, _ = server.accept()
    with connection:
        asked = connection.recv(65536)
        connection.sendall(answer)
    return asked


def test_an_rss_feed(site: Site) -> None:
    url = site.add("/feed.xml", rss(item(1), item(2, more="<link>/pages/2</link>")), "application/rss+xml")
    newer, older = listed(url).videos
    assert newer.title == "Episode 2 & more"
    assert (newer.extractor, newer.source_id) == ("feed", f"{url} episode-2")
    assert (newer.media_url, newer.page_url) == (f"{site.url}/audio/2.mp3", f"{site.url}/pages/2")
    assert (newer.channel, newer.language, newer.duration_s) == ("A „pod“ 🎙️", "de", 602)
    assert newer.published_at == datetime(2025, 7, 2, 8, tzinfo=UTC)
    assert older.page_url == older.media_url
    assert newer.key != older.key


def test_an_atom_feed(site: Site) -> None:
    entry = """<entry><title>One</title><id>tag:e.org,2025:1</id><updated>2025-07-01T08:00:00Z</updated>
        <link href="/pages/1"/><link rel="enclosure" type="video/mp4" href="https://cdn.e.org/1"/></entry>"""
    url = site.add("/atom", f'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>{entry}</feed>', "text/xml")
    [video] = listed(url).videos
    assert (video.source_id, video.media_url) == ("tag:e.org,2025:1", "https://cdn.e.org/1")
    assert (video.page_url, video.language) == (f"{site.url}/pages/1", None)
    assert video.published_at == datetime(2025, 7, 1, 8, tzinfo=UTC)


def test_filters_and_the_language_of_the_source(site: Site) -> None:
    url = site.add("/feed.xml", rss(item(1), item(2), item(3), item(4)))
    videos = listed(url, since=date(2025, 7, 2), max_duration=603, newest=1, language="en").videos
    assert [(video.title, video.language) for video in videos] == [("Episode 3 & more", "en")]


@pytest.mark.parametrize(("tag", "language"), [("nb", "no"), ("zh-Hant", "zh"), ("tlh", None), ("", None)])
def test_the_language_of_a_feed_is_one_that_whisper_knows(site: Site, tag: str, language: str | None) -> None:
    [video] = listed(site.add("/feed.xml", rss(item(1), language=tag))).videos
    assert video.language == language


def test_the_same_episode_twice_is_listed_once(site: Site) -> None:
    assert len(listed(site.add("/feed.xml", rss(item(1), item(2), item(1)))).videos) == 2


def test_what_cannot_be_dated_or_has_no_sound_is_no_hindrance(site: Site) -> None:
    text = (
        '<item><title>Only text</title></item><item><title>A picture</title><enclosure url="/a.jpg" type="image/jpeg"/>'
    )
    undated = "</item><item><pubDate>yesterday</pubDate><enclosure url='/no-title.ogg?x=1' type=''/></item>"
    [video] = listed(site.add("/feed.xml", rss(text + undated))).videos
    assert (video.title, video.published_at, video.duration_s) == ("no-title", None, None)


def test_a_feed_without_audio_is_pointed_out(site: Site) -> None:
    warnings: list[str] = []
    url = site.add("/feed.xml", rss("<item><title>Only text</title></item>"))
    list_source(Source(name="blog", feed=url), on_warning=warnings.append, allow_private=True)
    assert warnings == [f"Source blog: no entry of {url} has audio or video."]


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://e.org/a.mp3", "javascript:alert(1)", "http://[x/a.mp3"])
def test_an_episode_that_leads_elsewhere_is_refused_and_the_others_listed(site: Site, link: str) -> None:
    listing = listed(site.add("/feed.xml", rss(item(1), item(2, link))))
    assert [video.title for video in listing.videos] == ["Episode 1 & more"]
    [fault] = listing.faults
    assert isinstance(fault, Permanent)
    assert link in fault.what


def test_an_unchanged_feed_is_not_sent_again(site: Site) -> None:
    url = site.add("/feed.xml", rss(item(1)))
    first = listed(url)
    assert first.state.etag
    again = listed(url, first.state)
    assert (again.unchanged, again.videos, again.state) == (True, (), first.state)
    site.add("/feed.xml", rss(item(1), item(2)))
    assert len(listed(url, first.state).videos) == 2
    assert [status for _, _, status in site.requests] == [200, 304, 200]


def test_last_modified_is_kept(site: Site) -> None:
    day = "Tue, 01 Jul 2025 10:00:00 GMT"
    url = site.add("/feed.xml", rss(item(1)), etag=False, headers={"Last-Modified": day})
    assert listed(url).state == FeedState(None, day)


def test_what_is_asked_of_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(answer_once, server, b"HTTP/1.1 304 Not Modified\r\n\r\n")
        state = FeedState('"abc"', "Tue, 01 Jul 2025 10:00:00 GMT")
        assert listed(f"http://127.0.0.1:{server.getsockname()[1]}/käse-feed?a=b", state).unchanged
    request, *headers = asked.result().decode().splitlines()
    assert request == "GET /k%C3%A4se-feed?a=b HTTP/1.1"
    assert {'If-None-Match: "abc"', "If-Modified-Since: Tue, 01 Jul 2025 10:00:00 GMT"} <= set(headers)
    assert "Accept-Encoding: identity" in headers
    assert any(header.startswith("User-Agent: ingestion-pipeline") for header in headers)


def test_a_redirect_is_followed_and_relative_links_start_at_its_end(site: Site) -> None:
    site.add("/new/feed.xml", rss(item(1, "1.mp3")))
    url = site.add("/old", b"", status=301, headers={"Location": "/new/feed.xml"})
    assert listed(url).videos[0].media_url == f"{site.url}/new/1.mp3"


def test_a_redirect_to_another_protocol_is_not_followed(site: Site) -> None:
    url = site.add("/old", b"", status=302, headers={"Location": "ftp://127.0.0.1/feed.xml"})
    with pytest.raises(SourceFault, match="unknown url type: ftp"):
        listed(url)


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_an_http_error_is_named(site: Site, status: int) -> None:
    url = site.add("/feed.xml", b"no", status=status)
    with pytest.raises(SourceFault, match=rf"Source pod: {url} cannot be had: HTTP {status}"):
        listed(url)


def test_a_page_in_place_of_the_feed(site: Site) -> None:
    url = site.add("/feed.xml", "<!doctype html><html><body><h1>Log in</h1></body></html>", "text/html")
    with pytest.raises(SourceFault, match="is neither RSS nor Atom"):
        listed(url)


def test_an_entity_bomb_is_refused(site: Site) -> None:
    declared = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = rss(item(1)).replace("<rss", f"<!DOCTYPE rss [{declared}]><rss", 1)
    with pytest.raises(SourceFault, match="declares XML entities"):
        listed(site.add("/feed.xml", bomb))


def test_a_huge_feed_is_refused_unread(site: Site) -> None:
    url = site.add("/feed.xml", bytes(40 << 20))
    with pytest.raises(SourceFault, match="40 MB is too large"):
        listed(url)


def test_a_feed_that_does_not_tell_its_size_is_cut_off(site: Site) -> None:
    url = site.add("/feed.xml", bytes(40 << 20), headers={"Content-Length": "", "Connection": "close"})
    with pytest.raises(SourceFault, match="more than 32 MB"):
        listed(url)


def test_a_feed_that_ends_early_is_not_taken_for_a_short_one(site: Site) -> None:
    body = rss(item(1))
    url = site.add("/feed.xml", body, headers={"Content-Length": str(len(body) + 999), "Connection": "close"})
    with pytest.raises(SourceFault, match="cut short"):
        listed(url)


def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceFault, match="Connection refused"):
        listed(f"http://127.0.0.1:{port}/feed.xml")


def test_a_refused_private_address_stays_one(site: Site) -> None:
    url = site.add("/feed.xml", rss(item(1)))
    with pytest.raises(PrivateAddress):
        list_source(Source(name="pod", feed=url), on_warning=pytest.fail)
    assert site.requests == []
