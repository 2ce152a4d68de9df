import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from ingestion_pipeline.errors import PrivateAddress, SourceFault
from ingestion_pipeline.records import Video
from ingestion_pipeline.sources.config import Source
from ingestion_pipeline.sources.listing import list_source
from ingestion_pipeline.sources.sites import _is_list
from ingestion_pipeline_tests.support.video_site import (
    SiteVideo,
    add_channel,
    add_video,
    bot_check,
    live_now,
    members_only,
    plugin_folder,
    removed,
    upcoming,
    use_video_site,
)
from ingestion_pipeline_tests.support.web import Site, serving

NOON = int(datetime(2025, 7, 1, 12, tzinfo=UTC).timestamp())
DAY = 24 * 3600


@pytest.fixture
def site() -> Iterator[Site]:
    use_video_site()
    with serving() as site:
        yield site


def listed(url: str, **filters: object) -> tuple[Video, ...]:
    source = Source(name="c", url=url, **filters)  # type: ignore[arg-type]
    return list_source(source, on_warning=lambda _: None, allow_private=True).videos


def daily(count: int) -> list[SiteVideo]:
    return [SiteVideo(f"v{n}", f"Day {n}", timestamp=NOON - n * DAY) for n in range(count)]


def test_a_channel_with_tabs_gives_its_videos_shorts_and_streams(site: Site) -> None:
    tabs = {
        "Videos": daily(2),
        "Shorts": [SiteVideo("s", short=True, timestamp=NOON - 90)],
        "Streams": [live_now("l"), upcoming("u", NOON + DAY), SiteVideo("w", live_status="was_live", timestamp=NOON)],
    }
    videos = {video.source_id: video for video in listed(add_channel(site, "c", tabs))}
    assert list(videos) == ["v0", "w", "s", "v1", "l", "u"]
    assert (videos["v1"].title, videos["v1"].channel, videos["v1"].duration_s) == ("Day 1", "Channel c", 90)
    assert videos["v1"].published_at == datetime(2025, 6, 30, 12, tzinfo=UTC)
    assert videos["v1"].media_url == f"{site.url}/testsite/watch/v1"
    assert videos["v1"].key.startswith("testsite-")
    assert [videos[name].live_status for name in "luw"] == ["is_live", "is_upcoming", "was_live"]


def test_listing_asks_for_no_single_video(site: Site) -> None:
    url = add_channel(site, "c", {"Videos": daily(5)})
    assert len(listed(url)) == 5
    assert [path for _, path, _ in site.requests] == ["/testsite/channel/c", "/testsite/list/c/Videos/0"]


def test_without_shorts_their_tab_is_not_even_read(site: Site) -> None:
    url = add_channel(site, "c", {"Videos": daily(1), "Shorts": [SiteVideo("s", short=True)]})
    assert [video.source_id for video in listed(url, shorts=False)] == ["v0"]
    assert not any("Shorts" in path for _, path, _ in site.requests)


def test_newest_reads_only_as_many_pages_as_it_needs(site: Site) -> None:
    url = add_channel(site, "c", {"Videos": daily(100)}, page_size=10)
    assert [video.title for video in listed(url, newest=3, title="0$")] == ["Day 0", "Day 10", "Day 20"]
    assert len(site.requests) == 4


def test_dates_and_live_streams_are_filtered(site: Site) -> None:
    url = add_channel(site, "c", {"Videos": [live_now("l"), *daily(5)]})
    assert [video.source_id for video in listed(url, since=date(2025, 6, 30), live=False)] == ["v0", "v1"]


def test_private_and_deleted_entries_of_a_playlist_are_left_out(site: Site) -> None:
    gone = [
        SiteVideo("p", "[Private video]"),
        SiteVideo("d", "[Deleted video]"),
        SiteVideo("q", availability="private"),
    ]
    url = add_channel(site, "c", {"Videos": [*gone, *daily(1), members_only("m")]})
    assert {video.source_id for video in listed(url)} == {"v0", "m"}


def test_a_single_video_has_the_key_that_its_channel_gives_it(site: Site) -> None:
    video = SiteVideo("v0", "Day 0", timestamp=NOON, language="fr-CA")
    [alone] = listed(add_video(site, video, b"sound"))
    [in_channel] = listed(add_channel(site, "c", {"Videos": [video]}))
    assert alone.key == in_channel.key
    assert (alone.title, alone.channel, alone.language) == ("Day 0", "A channel", "fr")
    assert listed(alone.page_url, language="en")[0].language == "en"


@pytest.mark.parametrize("video", [removed("r"), bot_check("b"), members_only("m"), upcoming("u", NOON)])
def test_a_single_video_that_cannot_be_had_is_a_fault_in_the_words_of_the_site(site: Site, video: SiteVideo) -> None:
    with pytest.raises(SourceFault) as caught:
        listed(add_video(site, video))
    assert video.refusal
    assert video.refusal.rstrip(".") in caught.value.what
    assert "ERROR" not in caught.value.what


def test_a_page_that_is_not_there(site: Site) -> None:
    with pytest.raises(SourceFault) as caught:
        listed(f"{site.url}/testsite/channel/none")
    assert "Source c: " in caught.value.what
    assert "404" in caught.value.what
    assert "report" not in caught.value.what
    assert "caused by" not in caught.value.what


def test_a_file_on_the_web_is_known_by_its_address(site: Site) -> None:
    one, other = (site.add(f"/{folder}/episode.mp3", b"sound" * 999, "audio/mpeg") for folder in "ab")
    [video] = listed(one)
    assert (video.extractor, video.source_id, video.media_url) == ("Generic", one, one)
    assert video.key != listed(other)[0].key


def test_players_in_pages_of_the_same_name_are_different_videos(site: Site) -> None:
    player = "<html><title>A page</title><body><audio src='sound.mp3'></audio></body></html>"
    one, other = (site.add(f"/{folder}/page.html", player, "text/html") for folder in "ab")
    assert listed(one)[0].key != listed(other)[0].key


def test_a_page_of_links_gives_what_they_lead_to_lists_included(site: Site) -> None:
    youtube = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    links = [youtube, add_channel(site, "c", {"Videos": daily(2)}), f"{site.url}/a.mp3"]
    dated = "<pubDate>Tue, 01 Jul 2025 10:00:00 GMT</pubDate>"
    items = "".join(f"<item><title>A link</title><link>{link}</link>{dated}</item>" for link in links)
    url = site.add("/links", f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>', "text/xml")
    videos = {video.source_id: video for video in listed(url)}
    assert set(videos) == {"dQw4w9WgXcQ", "v0", "v1", f"{site.url}/a.mp3"}
    assert videos["dQw4w9WgXcQ"].key == "dQw4w9WgXcQ"
    assert videos["dQw4w9WgXcQ"].published_at is None  # YouTube's lists have rough dates: good to filter by alone
    assert videos["v0"].published_at is not None
    assert "dQw4w9WgXcQ" not in {video.key for video in listed(url, since=date(2025, 7, 2))}


@pytest.mark.parametrize(
    ("link", "is_list"),
    [
        ({"url": "https://www.youtube.com/playlist?list=PL0123456789", "ie_key": "YoutubeTab"}, True),
        ({"url": "https://www.youtube.com/@somebody/playlists"}, True),
        ({"url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "ie_key": "Youtube"}, False),
    ],
)
def test_a_playlist_in_a_list_is_opened(link: dict[str, str], is_list: bool) -> None:
    assert _is_list({"_type": "url", **link}) == is_list


def test_a_refused_private_address_stays_one(site: Site) -> None:
    url = add_video(site, SiteVideo("v"), b"sound")
    with pytest.raises(PrivateAddress):
        list_source(Source(name="site", url=url), on_warning=pytest.fail)
    assert site.requests == []


def test_a_child_process_knows_the_site_too(site: Site) -> None:
    url = add_video(site, SiteVideo("v", captions={"en": "WEBVTT\n"}), b"sound")
    program = "import sys, yt_dlp; info = yt_dlp.YoutubeDL({'quiet': True}).extract_info(sys.argv[1], download=False)"
    program += "; print(info['url'], info['acodec'], info['vcodec'], info['subtitles']['en'][0]['url'])"
    environment = {**os.environ, "PYTHONPATH": str(plugin_folder())}
    found = subprocess.run(
        [sys.executable, "-c", program, url], env=environment, capture_output=True, text=True, check=True
    )
    media, captions = f"{site.url}/testsite/media/v.opus", f"{site.url}/testsite/captions/v.en.vtt"
    assert found.stdout.split() == [media, "opus", "none", captions]
