"""`ingest failures` and `ingest retry`, and how `ingest run` goes on after a failure."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestion_pipeline.cli import ingest
from ingestion_pipeline.errors import Breaker, IngestionError, NeedsAccess, Permanent, Transient, VideoUnknown
from ingestion_pipeline.failures import note
from ingestion_pipeline.politeness import POLITE, host_of
from ingestion_pipeline.records import Video
from ingestion_pipeline.store import catalogue, failures, sites
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import video
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.web import Site, serving

Command = Callable[..., Result]


@pytest.fixture
def command(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    return lambda *arguments: CliRunner().invoke(ingest, arguments)


def add(database: Database, *videos: Video) -> None:
    with database.writing() as connection:
        catalogue.save_videos(connection, videos)


def fail(database: Database, one: Video, error: IngestionError) -> None:
    note(database, one.key, "raw_audio", error, run_id="a run", retry_after_s=300, log=pytest.fail)


@pytest.fixture
def failed(database: Database) -> list[Video]:
    """Add five videos that failed or wait, and one that did not."""
    videos = [video(number, media_url=f"https://example.org/{number}.mp3") for number in range(6)]
    add(database, *videos)
    for one in videos[:2]:
        fail(database, one, Permanent(f"{one.key}: gone.", "Leave it out."))
    fail(database, videos[2], NeedsAccess("Members only.", "Set COOKIES_FILE."))
    fail(database, videos[3], Transient("503.", "Later."))
    with pytest.raises(Breaker) as caught, POLITE.turn(database, videos[4], pytest.fail):
        raise Breaker("Not a bot.", "Wait.")
    fail(database, videos[4], caught.value)
    return videos


def due(database: Database) -> set[str]:
    with database.connection() as connection:
        found = failures.all_failures(connection)
    return {one.video for one in found if one.retry_at and one.retry_at <= datetime.now(UTC)}


def test_failures_are_listed_by_reason(command: Command, failed: list[Video]) -> None:
    groups = json.loads(command("failures", "--json").stdout)
    counts = {(group["kind"], group["remedy"]): group["count"] for group in groups}
    assert counts[("permanent", "Leave it out.")] == 2
    assert [kind for kind, _ in counts] == ["breaker", "needs_access", "permanent", "transient"]
    shown = {one["video"]: one for group in groups for one in group["videos"]}
    assert set(shown) == {one.key for one in failed[:5]}
    assert shown[failed[3].key]["retry_at"] > shown[failed[3].key]["failed_at"]
    assert (shown[failed[0].key]["retry_at"], shown[failed[0].key]["attempts"]) == (None, 1)
    text = command("failures").stdout
    assert "2 permanent: Leave it out.\n" in text
    assert f"raw_audio, once, not again by itself: {failed[0].key}: gone." in text


def test_without_failures_it_says_so(command: Command) -> None:
    assert command("failures").stdout == "no video has failed, and none waits\n"
    assert json.loads(command("failures", "--json").stdout) == []


def test_a_person_has_videos_tried_again(command: Command, database: Database, failed: list[Video]) -> None:
    first, second, members, transient, breaker = (one.key for one in failed[:5])
    assert command("retry", first).stdout.startswith("1 due;")
    assert due(database) == {first}
    assert json.loads(command("retry", "--type", "needs_access", "--json").stdout) == [members]
    assert due(database) == {first, members}
    assert command("retry").exit_code == 0
    assert due(database) == {first, second, members, transient, breaker}


def test_a_site_that_refused_is_asked_again_when_a_person_says_so(
    command: Command, database: Database, failed: list[Video]
) -> None:
    host = host_of(failed[4].media_url)
    with database.connection(autocommit=True) as connection:
        command("retry", failed[0].key)
        assert sites.blocked(connection, host) is not None
        command("retry", "--type", "breaker")
        assert sites.blocked(connection, host) is None


def test_a_video_that_did_not_fail_is_named(command: Command, database: Database, failed: list[Video]) -> None:
    error = command("retry", failed[0].key, failed[5].key).exception
    assert isinstance(error, VideoUnknown)
    assert failed[5].key in error.what
    assert failed[0].key not in error.what
    assert due(database) == set()
    assert isinstance(command("retry", failed[0].key, "--type", "transient").exception, VideoUnknown)


def test_only_what_is_due_is_to_do(database: Database, failed: list[Video]) -> None:
    with database.connection() as connection:
        assert catalogue.videos_to_do(connection, "a model") == [failed[5].key]
        failures.make_due(connection, [failed[0].key])
        assert set(catalogue.videos_to_do(connection, "a model")) == {failed[0].key, failed[5].key}
        assert len(catalogue.videos_to_do(connection, "a model", failed=True)) == 6


@pytest.fixture
def here(tmp_path: Path, database: Database) -> Installation:
    installation = Installation(tmp_path)
    installation.set(
        DATABASE_URL=database.url, WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true"
    )
    return installation


@pytest.mark.slow
def test_a_run_leaves_a_site_that_refuses_and_is_not_starved_by_what_failed(
    here: Installation, database: Database, site: Site
) -> None:
    with serving() as other:
        refused = [video(number, media_url=site.add(f"/{number}", b"", status=429)) for number in range(3)]
        gone = [video(number, media_url=f"{other.url}/{number}") for number in (3, 4)]
        add(database, *refused, *gone)
        done = here.run("run", "--limit", "2")
        assert (done.returncode, done.stdout) == (1, "0 of 2 videos ingested\n")
        assert f"waits: {refused[0].key}" in done.stderr
        assert f"failed: {gone[0].key}" in done.stderr
        assert done.stderr.count("refuses: its other videos are left for later") == 1
        assert len(site.requests) == 1
        fared = here.json("run", "--limit", "1")
        assert [(one["video"], one["kind"]) for one in fared] == [(gone[1].key, "permanent")]
        (named,) = here.json("run", refused[2].key)
        assert (named["failure"], named["kind"]) == (None, "breaker")
        assert "is left alone until" in named["waits"]
        assert len(site.requests) == 1


def test_a_video_that_is_removed_meanwhile_does_not_end_a_run(
    here: Installation, database: Database, site: Site
) -> None:
    both = [video(number, media_url=site.add(f"/{number}", b"", status=404)) for number in range(2)]
    add(database, *both)
    first, second = to_do(database)

    def remove_the_second(_path: str) -> None:
        with database.writing() as connection:
            connection.execute("delete from videos where key = %s", (second,))

    site.before_answer = remove_the_second
    done = here.run("run")
    assert (done.returncode, done.stdout) == (1, "0 of 1 videos ingested\n")
    assert f"{second} was removed meanwhile" in done.stderr
    assert f"failed: {first}" in done.stderr


def to_do(database: Database) -> list[str]:
    with database.connection() as connection:
        return catalogue.videos_to_do(connection, "a model")


def test_a_fault_of_this_machine_ends_a_run(here: Installation, database: Database, site: Site) -> None:
    here.folder.joinpath("data").mkdir()
    here.folder.joinpath("data", "audio").write_bytes(b"")
    add(database, *(video(number, media_url=site.add(f"/{number}", b"audio")) for number in range(3)))
    done = here.run("run")
    assert (done.returncode, done.stdout) == (1, "0 of 1 videos ingested\n")
    assert "cannot be written to" in done.stderr
    assert "something is wrong on this machine" in done.stderr
