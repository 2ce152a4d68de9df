"""A backfill of a hundred videos whose site begins to refuse: it is left alone, and the videos that wait say so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ingestion_pipeline.defs.requesting import SENSORS
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline_tests.support.dagster_ui import DagsterUI, dev
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.web import Site, serving

pytestmark = pytest.mark.slow
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]
VIDEOS, ANSWERED, IO_WORKERS = 100, 10, 4


@dataclass
class Refused:
    """An installation after a backfill of videos whose site answered the first few."""

    installation: Installation
    ui: DagsterUI
    site: Site

    def statuses(self) -> list[int]:
        """Return what the site answered when it was asked for audio."""
        return [status for _, path, status in self.site.requests if path.endswith(".opus")]

    def done(self) -> int:
        """Return how many videos were ingested before; each takes two requests."""
        return int(self.installation.json("db", "status")["transcripts"])

    def run_statuses(self) -> set[str]:
        """Return how the runs of videos ended."""
        runs = [run for run in self.ui.runs() if "dagster/partition" in {tag["key"] for tag in run["tags"]}]
        assert len(runs) == VIDEOS
        return {run["status"] for run in runs}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refused]:
    with _site() as site:
        installation = Installation(tmp_path_factory.mktemp("refused"))
        installation.set(
            WHISPER_MODEL="demo-en",
            WHISPER_DEVICE="cpu",
            ALLOW_PRIVATE_ADDRESSES="true",
            IO_WORKERS=str(IO_WORKERS),
            SITE_RATE="*=60000",
        )
        installation.list_sources(f"name: podcast, feed: '{site.url}/feed.xml'")
        with dev(installation) as (_, address):
            ui = DagsterUI(address)
            ui.wait_until_loaded()
            for sensor in SENSORS:
                ui.stop(sensor)
            assert installation.json("discover")["new"] == VIDEOS
            ui.backfill(STEPS, list(installation.keys().values()))
            yield Refused(installation, ui, site)


@contextmanager
def _site() -> Iterator[Site]:
    """Serve a podcast that answers so many requests for its audio and refuses all others."""
    lock, asked = threading.Lock(), [0]

    def refuse(path: str) -> None:
        if path.endswith(".opus"):
            with lock:
                asked[0] += 1
                site.pages[path].status = 200 if asked[0] <= ANSWERED else 429

    with serving() as site:
        audio = EPISODES[0].read_bytes()
        urls = [site.add(f"/{number}.opus", audio, "audio/ogg") for number in range(VIDEOS)]
        items = "".join(f'<item><title>{url}</title><enclosure url="{url}" type="audio/ogg"/></item>' for url in urls)
        site.add("/feed.xml", f'<rss version="2.0"><channel><title>Pod</title>{items}</channel></rss>', "text/xml")
        site.before_answer = refuse
        yield site


def test_of_a_hundred_runs_hardly_one_asks_a_site_that_refuses(refused: Refused) -> None:
    statuses = refused.statuses()
    assert statuses.count(200) == ANSWERED
    assert 1 <= statuses.count(429) <= 1 + IO_WORKERS + 1


def test_the_videos_that_wait_are_no_failures_and_say_until_when(refused: Refused) -> None:
    assert 1 <= refused.done() <= ANSWERED / 2
    assert refused.run_statuses() == {"SUCCESS"}
    waiting = [(group["kind"], one) for group in refused.installation.json("failures") for one in group["videos"]]
    assert len(waiting) == VIDEOS - refused.done()
    assert {kind for kind, _ in waiting} == {"breaker"}
    assert all(one["retry_at"] for _, one in waiting)
    left_alone = [one["video"] for _, one in waiting if "is left alone until" in one["reason"]]
    assert len(waiting) - len(left_alone) <= IO_WORKERS + 2
    assert "is left alone until" in refused.ui.observations("raw_audio", left_alone[0])[0]


def test_the_sensor_waits_for_the_end_of_the_pause(refused: Refused) -> None:
    asked = refused.statuses()
    assert f"{VIDEOS - refused.done()} wait until" in refused.ui.next_tick("retry_due")
    assert refused.statuses() == asked
