"""A backfill of thirty videos from the UI, of which six fail or wait, each in its own way; and a second one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion_pipeline.defs.requesting import SENSORS
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline_tests.support.dagster_ui import DagsterUI, dev
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.video_site import (
    SiteVideo,
    add_channel,
    add_video,
    bot_check,
    members_only,
    plugin_folder,
    removed,
    upcoming,
)
from ingestion_pipeline_tests.support.web import Site, serving

pytestmark = pytest.mark.slow
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]
GOOD = 24
WRONG = {
    "bot": ("breaker", "not a bot"),
    "runtime": ("environment", "JavaScript runtime"),
    "torn": ("transient", "The table is torn"),
    "soon": ("deferred", "live event will begin"),
    "members": ("needs_access", "members-only"),
    "gone": ("permanent", "removed by the uploader"),
}
"""By id: its kind, and words of the reason."""
TORN = """
create function torn() returns trigger language plpgsql as $$
begin
    if new.video = (select key from videos where source_id = 'torn') then raise exception 'The table is torn.'; end if;
    return new;
end $$;
create trigger torn before insert on transcripts for each row execute function torn()
"""
ROWS = """
select '{table}', {table}.ctid::text, {table}.xmin::text from {table} join videos on key = video
where source_id like 'good%'
"""
TABLES = ("audio", "transcripts", "segments", "passages", "embeddings", "embedded_videos")


@dataclass
class Thirty:
    """An installation whose UI runs, and the two sites of its videos; `keys` are the partitions by id."""

    installation: Installation
    ui: DagsterUI
    site: Site
    strict: Site
    keys: dict[str, str]

    def rows(self) -> set[tuple[str, ...]]:
        """Return every row of the good videos, with the transaction that wrote it."""
        return {row for table in TABLES for row in self.installation.query(ROWS.format(table=table))}

    def failures(self) -> dict[str, tuple[str, str]]:
        """Return what `ingest failures` says of each video: its kind and its reason."""
        groups = self.installation.json("failures")
        return {one["video"]: (group["kind"], one["reason"]) for group in groups for one in group["videos"]}

    def requests(self, video: str) -> list[str]:
        """Return the paths that were asked for of a video."""
        return [path for site in (self.site, self.strict) for _, path, _ in site.requests if video in path]


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thirty]:
    with serving() as site, serving() as strict:
        installation = Installation(tmp_path_factory.mktemp("thirty"))
        installation.environment["PYTHONPATH"] += f":{plugin_folder()}"
        installation.set(
            WHISPER_MODEL="demo-en",
            WHISPER_DEVICE="cpu",
            ALLOW_PRIVATE_ADDRESSES="true",
            IO_WORKERS="4",
            SITE_RATE="*=6000",
        )
        installation.list_sources(
            f"name: kind, url: '{_kind_channel(site)}'", f"name: strict, url: '{_strict_channel(strict)}'"
        )
        with dev(installation) as (_, address):
            ui = DagsterUI(address)
            ui.wait_until_loaded()
            for sensor in SENSORS:
                ui.stop(sensor)
            assert installation.json("discover")["new"] == GOOD + len(WRONG)
            yield Thirty(installation, ui, site, strict, installation.keys())


def _kind_channel(site: Site) -> str:
    good = [SiteVideo(f"good{number:02}", duration=None) for number in range(GOOD)]
    wrong = [
        SiteVideo("torn", duration=None),
        SiteVideo("runtime", refusal="No supported JavaScript runtime could be found"),
        upcoming("soon", 4_000_000_000),
        members_only("members"),
        removed("gone"),
    ]
    for number, video in enumerate([*good, *wrong]):
        add_video(site, video, EPISODES[number % len(EPISODES)].read_bytes())
    return add_channel(site, "kind", {"videos": [*good, *wrong]})


def _strict_channel(site: Site) -> str:
    add_video(site, bot_check("bot"))
    return add_channel(site, "strict", {"videos": [bot_check("bot")]})


@pytest.fixture(scope="module")
def first(thirty: Thirty) -> str:
    thirty.installation.query(TORN)
    return thirty.ui.backfill(STEPS, list(thirty.keys.values()))


def test_twenty_four_are_there_and_six_are_explained(thirty: Thirty, first: str) -> None:
    assert first == "COMPLETED_FAILED"
    assert thirty.installation.json("db", "status")["transcripts"] == GOOD
    failures = thirty.failures()
    assert set(failures) == {thirty.keys[name] for name in WRONG}
    for name, (kind, reason) in WRONG.items():
        assert failures[thirty.keys[name]][0] == kind
        assert reason in failures[thirty.keys[name]][1]


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("asset", STEPS)
def test_each_page_of_a_video_that_is_missing_says_why(thirty: Thirty, first: str, name: str, asset: str) -> None:
    assert first
    kind, reason = WRONG[name]
    found = thirty.ui.observations(asset, thirty.keys[name])
    if name == "torn" and asset == "raw_audio":
        assert found == [], "its audio is there"
    else:
        assert kind in found[0]
        assert reason in found[0]


@pytest.mark.parametrize("name", [name for name in WRONG if name != "torn"])
def test_what_will_not_come_right_was_asked_for_once(thirty: Thirty, first: str, name: str) -> None:
    assert first
    assert len(thirty.requests(f"watch/{name}")) == 1


@pytest.mark.parametrize("sensor", SENSORS)
def test_the_sensors_request_nothing_of_it_again(thirty: Thirty, first: str, sensor: str) -> None:
    assert first
    runs = len(thirty.ui.runs())
    assert thirty.ui.next_tick(sensor).startswith("nothing ")
    thirty.ui.stop(sensor)
    assert len(thirty.ui.runs()) == runs


def test_a_second_backfill_of_what_is_there_asks_decodes_and_writes_nothing(thirty: Thirty, first: str) -> None:
    assert first
    rows, asked, decoded = thirty.rows(), thirty.requests("good"), _decoded(thirty.installation.folder)
    thirty.ui.backfill(STEPS, list(thirty.keys.values()))
    assert thirty.rows() == rows
    assert thirty.requests("good") == asked
    assert _decoded(thirty.installation.folder) == decoded


def _decoded(folder: Path) -> list[str]:
    """Return what the logs of the model servers say of the good videos: a line for each that was transcribed."""
    logs = sorted((folder / "data/model-server").glob("*.log"))
    return [line for log in logs for line in log.read_text().splitlines() if "good" in line]


def test_to_execute_again_from_failure_does_not_download_again(thirty: Thirty, first: str) -> None:
    assert first
    thirty.installation.query("drop trigger torn on transcripts")
    asked = thirty.requests("torn")
    run = thirty.ui.runs_of(thirty.keys["torn"])[0]
    assert run["status"] == "FAILURE"
    assert thirty.ui.execute_again(run["runId"], "FROM_FAILURE") == "SUCCESS"
    assert thirty.requests("torn") == asked
    assert thirty.keys["torn"] not in thirty.failures()
    assert {"key": "failure/kind", "value": "none"} in thirty.ui.runs_of(thirty.keys["torn"])[0]["tags"]
