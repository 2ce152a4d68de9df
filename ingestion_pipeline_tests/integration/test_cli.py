"""Bad input at the command line: one line that names the thing and the remedy, a status, nothing half-written."""

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.store.catalogue import all_keys
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.installation import Installation, dagster_url_of
from ingestion_pipeline_tests.support.video_site import SiteVideo, add_channel, plugin_folder
from ingestion_pipeline_tests.support.web import Site


@pytest.fixture
def here(tmp_path: Path, database: Database) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    installation.environment |= {
        "DATABASE_URL": database.url,
        "WHISPER_MODEL": "demo-en",
        "WHISPER_DEVICE": "cpu",
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }
    yield installation
    assert not [file for file in tmp_path.rglob("*.part*/**/*") if file.is_file()]


def error_of(installation: Installation, *arguments: str) -> str:
    done = installation.run(*arguments)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert "Traceback" not in done.stderr
    return line


def test_a_bad_setting(here: Installation) -> None:
    here.environment["ASR_WORKERS"] = "many"
    assert "ASR_WORKERS=many" in error_of(here, "search", "bread")


def test_a_missing_sources_file(here: Installation) -> None:
    assert "sources.yaml cannot be read" in error_of(here, "discover")


def test_a_malformed_sources_file(here: Installation) -> None:
    here.list_sources("name: a, feed: 'http://example.org', colour: red")
    for command in ("discover", "run"):
        line = error_of(here, command)
        assert "sources.yaml line 1" in line
        assert "colour" in line


def test_an_unreachable_database(here: Installation) -> None:
    here.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    assert "database cannot be reached" in error_of(here, "run")


def test_an_env_file_that_is_not_there(here: Installation) -> None:
    assert "production.env: no such file" in error_of(here, "--env", "production.env", "run")


def test_an_unknown_video(here: Installation) -> None:
    assert "Video nothing is not in the catalogue" in error_of(here, "run", "nothing")
    assert "Video nothing has no transcript" in error_of(here, "export", "nothing")


def test_add_of_a_playlist_adds_its_videos_once(here: Installation, site: Site) -> None:
    here.environment["PYTHONPATH"] += f"{os.pathsep}{plugin_folder()}"
    playlist = add_channel(site, "c", {"Videos": [SiteVideo("v1", "One"), SiteVideo("v2", "Two")]})
    assert {video["title"] for video in here.json("add", playlist)} == {"One", "Two"}
    assert here.json("add", playlist) == []


def test_add_run_search_and_export_a_single_file(here: Installation, database: Database, site: Site) -> None:
    episode = EPISODES[0]
    url = site.add("/bread.opus", episode.read_bytes(), "audio/ogg")
    (added,) = here.json("add", url)
    (ran,) = here.json("run", added["video"])
    assert ran["failure"] is None
    (hit, *_) = here.json("search", "honey of the bees")
    assert hit["video"] == added["video"]
    assert hit["link"].startswith(f"{url}#t=")
    exported = here.run("export", added["video"], "--format", "vtt")
    assert exported.stdout.startswith("WEBVTT")
    records = records_of_dagster(database)
    for figure in ("rtfx", "wait_seconds", "cpu_mean_cores", "memory_peak_mb", "chunks_decoded_again"):
        assert figure in records


@pytest.mark.slow
def test_a_video_is_removed_and_added_again(here: Installation, site: Site, database: Database) -> None:
    url = site.add("/bread.opus", EPISODES[0].read_bytes(), "audio/ogg")
    (added,) = here.json("add", url)
    done = here.run("remove", added["video"], "nothing", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, [added["video"]])
    assert "not removed: Video nothing is not in the catalogue" in done.stderr
    with database.connection() as connection:
        assert all_keys(connection) == []
    with psycopg.connect(dagster_url_of(database)) as connection:
        assert connection.execute("select * from dynamic_partitions").fetchall() == []
    assert here.json("add", url) == [added]


def test_what_is_no_address_is_not_added(here: Installation) -> None:
    assert "ftp://example.org is not an http or https address" in error_of(here, "add", "ftp://example.org")


@pytest.mark.slow
def test_one_failure_does_not_stop_the_others(here: Installation, site: Site) -> None:
    good = site.add("/good.opus", EPISODES[0].read_bytes(), "audio/ogg")
    bad = site.add("/bad.opus", b"this is not audio", "audio/ogg")
    keys = [video["video"] for video in here.json("add", bad, good)]
    done = here.run("run", *keys)
    assert done.returncode == 1
    assert "1 of 2 videos ingested" in done.stdout
    assert f"failed: {keys[0]}" in done.stderr
    assert "is text, not audio" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in (here.folder / "data" / "audio").iterdir() if file.is_file()] == [f"{keys[1]}.opus"]


@pytest.mark.slow
def test_a_call_from_cron_deletes_what_has_served_and_tells_of_failures(here: Installation, site: Site) -> None:
    site.add("/inbox", "", "text/plain")
    episode = site.add("/1.opus", EPISODES[0].read_bytes(), "audio/ogg")
    here.json("add", episode, site.add("/2.opus", "this is not audio", "audio/ogg"))
    here.environment |= {"AUDIO_RETENTION": "delete", "NOTIFY_URLS": f"{site.url}/inbox".replace("http:", "json:")}
    done = here.run("run")
    assert (done.returncode, "1 of 2 videos ingested" in done.stdout) == (1, True), done.stderr
    assert "1 audio files deleted" in done.stderr
    assert not list((here.folder / "data" / "audio").glob("*.opus"))
    assert len([path for _, path, _ in site.requests if path == "/inbox"]) == 1


@pytest.mark.slow
def test_a_source_that_fails_spoils_the_status_and_not_the_others(here: Installation, site: Site) -> None:
    good = f"name: good, url: '{site.add('/bread.opus', EPISODES[0].read_bytes(), 'audio/ogg')}'"
    here.list_sources(f"name: lost, feed: '{site.url}/feed.xml'", good)
    for command, printed in (("discover", "1 listed, 1 new, failed sources: 1"), ("run", "1 of 1 videos ingested")):
        done = here.run(command)
        assert (done.returncode, done.stdout) == (1, f"{printed}\n")
        assert "Source lost: " in done.stderr
        assert "404" in done.stderr
    here.list_sources(good)
    assert here.run("run").returncode == 0


@pytest.mark.parametrize("name", ["DATABASE_URL", "DAGSTER_DATABASE_URL"])
def test_the_password_of_an_unreachable_database_is_in_no_error(here: Installation, name: str) -> None:
    here.environment[name] = "postgresql://me:hunter2@127.0.0.1:1/none"
    assert "database cannot be reached" in error_of(here, "run")
    assert "hunter2" not in here.run("run").stderr


@pytest.mark.slow
def test_passwords_are_in_no_record_of_dagster(here: Installation, database: Database, site: Site) -> None:
    """Not in the configuration of a run, in its job, or in its failure: all of them show in the UI."""
    url = site.add("/bad.opus", b"this is not audio", "audio/ogg")
    site.pages[url] = site.pages["/bad.opus"]  # as its own proxy, the site is asked for the whole address
    here.environment |= {
        "DATABASE_URL": database.url.replace("@", ":hunter2@"),
        "PROXY": site.url.replace("//", "//me:hunter2@"),
        "NOTIFY_URLS": "json://me:hunter2@127.0.0.1:1",
    }
    here.list_sources(f"name: bad, url: '{url}'")
    assert here.run("run").returncode == 1
    assert "Proxy-Authorization" in site.headers[-1]
    records = records_of_dagster(database)
    assert "is text, not audio" in records
    assert '"DATABASE_URL"' in records.replace("\\", "")
    assert "hunter2" not in records


def records_of_dagster(database: Database) -> str:
    """Return all that Dagster has stored of its runs: they, their events, and the jobs and configuration defaults."""
    with psycopg.connect(dagster_url_of(database)) as connection:
        rows = connection.execute("select run_body from runs union all select event from event_logs").fetchall()
        snapshots = connection.execute("select snapshot_body from snapshots").fetchall()
    return "\n".join([*(text for (text,) in rows), *(zlib.decompress(body).decode() for (body,) in snapshots)])


def test_doctor_calls_a_name_that_no_model_has_what_it_is(here: Installation) -> None:
    here.environment["WHISPER_MODEL"] = "distil-tiny-v9"
    [whisper] = [check for check in here.json("doctor") if check["name"] == "Whisper"]
    assert "Invalid model size 'distil-tiny-v9'" in whisper["found"]
    assert whisper["remedy"].startswith("Give WHISPER_MODEL a name that faster-whisper knows")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written(here: Installation) -> None:
    here.folder.joinpath("data").mkdir(mode=0o500)
    assert "cannot be written" in here.run("doctor").stdout
