"""A partition key that a person typed in: a YouTube id is a video, whatever the catalogue knows."""

from pathlib import Path

import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.discovery import catalogued
from ingestion_pipeline.errors import VideoUnknown
from ingestion_pipeline.politeness import Web, host_of
from ingestion_pipeline.records import Audio, Video
from ingestion_pipeline.store import catalogue, sites
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.web import Site

ID = "jNQXAC9IVRw"
PAGE = f"https://www.youtube.com/watch?v={ID}"


def looked_up(database: Database, site: Site, key: str) -> Video:
    return catalogued(database, key, Web(allow_private=True), watch=f"{site.url}/watch/", log=print)


@pytest.fixture
def page(site: Site) -> Site:
    """Serve a page that tells of the video without asking YouTube: a list with a link to it."""
    item = f"<item><title>Me at the zoo</title><link>{PAGE}</link></item>"
    site.add(f"/watch/{ID}", f'<rss version="2.0"><channel><title>T</title>{item}</channel></rss>', "text/xml")
    return site


def test_a_youtube_id_is_looked_up_and_added(database: Database, page: Site) -> None:
    video = looked_up(database, page, ID)
    assert (video.key, video.source, video.extractor, video.title) == (ID, "added", "Youtube", "Me at the zoo")
    assert video.media_url == PAGE
    with database.connection() as connection:
        assert catalogue.video_of(connection, ID) == video
    page.requests.clear()
    assert looked_up(database, page, ID) == video
    assert page.requests == []


def test_to_look_one_up_takes_a_turn_of_its_site(database: Database, page: Site) -> None:
    looked_up(database, page, ID)
    with database.connection() as connection:
        wait_s = sites.reserved(connection, host_of(page.url), per_minute=60)
    assert wait_s is not None
    assert wait_s > 0


def test_where_its_page_says_nothing_the_download_is_to_say_why(database: Database, site: Site) -> None:
    video = looked_up(database, site, ID)
    assert (video.key, video.title, video.source_id) == (ID, ID, ID)


def test_what_could_not_be_looked_up_is_when_it_is_fetched_again(database: Database, site: Site) -> None:
    looked_up(database, site, ID)
    item = f"<item><title>Me at the zoo</title><link>{PAGE}</link></item>"
    site.add(f"/watch/{ID}", f'<rss version="2.0"><channel><title>T</title>{item}</channel></rss>', "text/xml")
    assert looked_up(database, site, ID).title == "Me at the zoo"


@pytest.mark.parametrize("key", ["nothing", "feed-0123456789ab", "not an id!!"])
def test_no_other_key_is_taken_for_one(database: Database, site: Site, key: str) -> None:
    with pytest.raises(VideoUnknown, match=f"{key} is not in the catalogue"):
        looked_up(database, site, key)
    assert site.requests == []


def test_what_a_person_removed_does_not_come_back_by_a_run_that_was_requested_before(
    database: Database, page: Site
) -> None:
    looked_up(database, page, ID)
    with database.writing() as connection:
        catalogue.remove(connection, ID)
    with pytest.raises(VideoUnknown):
        looked_up(database, page, ID)


def test_the_first_step_takes_such_a_key(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # so that nobody asks YouTube
    file = tmp_path / "audio.opus"
    file.write_bytes(b"sound")

    def download(video: Video, _log: object) -> Audio:
        assert video.media_url.endswith(ID)
        return Audio(file, "0" * 64, 5, 1.0, "opus", 48000, 1)

    assert pipeline.fetch(database, ID, download, log=print).video.key == ID
