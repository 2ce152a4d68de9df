"""What a person sees in the UI: the sources, videos that failed or wait and why, a run, a transcript, its checks.

The pictures are those of docs/operations.md; `make screenshots` copies them there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline_tests.support.browser import Browser, browser
from ingestion_pipeline_tests.support.dagster_ui import DagsterUI, dev
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.video_site import (
    BOT_CHECK,
    REMOVED,
    SiteVideo,
    add_channel,
    add_video,
    plugin_folder,
)
from ingestion_pipeline_tests.support.web import Site, serving

pytestmark = pytest.mark.slow
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]
GONE = SiteVideo("gone", "How to keep a secret", refusal=REMOVED)
TALK = SiteVideo("talk", "The night train, live on stage")
DOUBTED = SiteVideo("doubted", "The garden in winter", refusal=BOT_CHECK)


@dataclass(frozen=True)
class Seen:
    """The UI in a browser after a first backfill.

    `failed` is the partition of a video that was taken down, `blocked` that of one whose site takes us for a bot.
    """

    browser: Browser
    ui: DagsterUI
    done: str
    failed: str
    blocked: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    pictures = tmp_path_factory.mktemp("screenshots")
    with podcast() as feed, serving() as site, serving() as archive:
        sources = [
            f"name: podcast, feed: '{feed}', newest: 4",
            f"name: stage, url: '{_channel(site, 'stage', TALK, GONE)}'",
            f"name: archive, url: '{_channel(archive, 'archive', DOUBTED)}'",
        ]
        installation = _installation(tmp_path_factory.mktemp("project"), sources)
        with dev(installation) as (_, address):
            ui = DagsterUI(address)
            ui.wait_until_loaded()
            ui.stop("new_uploads")
            installation.json("discover")
            ui.backfill(STEPS, ui.partitions("raw_audio"))
            installation.json("discover")
            keys = installation.keys()
            with browser(address, pictures) as opened:
                yield Seen(opened, ui, keys["talk"], keys["gone"], keys["doubted"])


def _channel(site: Site, name: str, *videos: SiteVideo) -> str:
    for video in videos:
        add_video(site, video, EPISODES[4].read_bytes())
    return add_channel(site, name, {"videos": videos})


def _installation(folder: Path, sources: list[str]) -> Installation:
    installation = Installation(folder)
    installation.environment["PYTHONPATH"] += f":{plugin_folder()}"
    installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true", IO_WORKERS="2")
    installation.list_sources(*sources)
    return installation


def test_the_catalogue_shows_its_sources(seen: Seen) -> None:
    seen.browser.open("/assets/video_catalog", "Which videos there are")
    seen.browser.sees("podcast").scroll_into_view_if_needed()
    seen.browser.show("catalogue")


def test_a_failed_video_is_red_and_says_why(seen: Seen) -> None:
    seen.browser.open(f"/assets/raw_audio?view=partitions&partition={seen.failed}", "did not materialize this asset")
    seen.browser.show("failed-partition")
    seen.browser.click("View all historical events")
    seen.browser.click("Observation")
    seen.browser.sees("has been removed by the uploader")
    seen.browser.sees("when a person asks")
    seen.browser.show("failed-reason")


@pytest.mark.parametrize("asset", STEPS)
def test_its_reason_is_the_latest_event_of_each_asset(seen: Seen, asset: str) -> None:
    seen.browser.open(f"/assets/{asset}?view=events&partition={seen.failed}", "has been removed by the uploader")


def test_its_run_names_the_video_and_the_reason(seen: Seen) -> None:
    (run,) = seen.ui.runs_of(seen.failed)
    seen.browser.open(f"/runs/{run['runId']}", "has been removed by the uploader")
    seen.browser.click("View tags and config")
    seen.browser.sees("video/title: How to keep a secret")
    seen.browser.sees("failure/kind: permanent")
    seen.browser.show("failed-run")


def test_a_video_of_a_blocked_site_is_not_red_and_says_until_when_it_waits(seen: Seen) -> None:
    seen.browser.open(f"/assets/raw_audio?view=events&partition={seen.blocked}", "not a bot")
    seen.browser.sees("next_try")
    seen.browser.show("blocked")
    (run,) = seen.ui.runs_of(seen.blocked)
    assert run["status"] == "SUCCESS"


def test_a_transcript_shows_its_first_sentences_and_what_its_checks_found(seen: Seen) -> None:
    seen.browser.open(f"/assets/transcripts?view=partitions&partition={seen.done}", f"ingest export {seen.done}")
    seen.browser.sees("quality")
    seen.browser.show("transcript")


def test_the_checks_of_a_video_stand_on_their_tab(seen: Seen) -> None:
    seen.browser.open("/assets/transcripts?view=checks&checkDetail=words_per_second", "Can anybody speak so fast?")
    seen.browser.page.get_by_role("tab", name="Partitions").nth(1).click()
    seen.browser.sees("Passed (5)")
    seen.browser.show("checks")


def test_the_sensors_say_what_they_do(seen: Seen) -> None:
    assert seen.ui.next_tick("new_uploads").startswith("nothing new")
    seen.browser.open("/automation", "retry_due")
    seen.browser.show("automation")
