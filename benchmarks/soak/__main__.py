"""`python -m benchmarks.soak`: many videos, a site with moods, and kills; afterwards nothing may be lost or torn."""

import random
import tempfile
import time
from pathlib import Path

import click

from ingestion_pipeline.cli.session import Session
from ingestion_pipeline.speech.recogniser import WhisperConfig
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.dagster_processes import Dagster, Killer, dagster
from ingestion_pipeline_tests.support.installation import Installation
from ingestion_pipeline_tests.support.model_servers import wait_until

from .moods import episodes
from .recordings import recordings
from .site import serving
from .verdict import Verdict, left_over, settled, verdict

_WHISPER = WhisperConfig("demo-en", "cpu", "int8", parallel=2, videos=2)
_SETTINGS = {
    "WHISPER_MODEL": "demo-en",
    "WHISPER_DEVICE": "cpu",
    "WHISPER_COMPUTE": "int8",
    "WHISPER_PARALLEL_MODELS": "2",
    "ALLOW_PRIVATE_ADDRESSES": "true",
    "IO_WORKERS": "8",
    "SITE_RATE": "*=6000",
    # A person would wait for an hour and for minutes; the order of things is the same.
    "SITE_PAUSE_S": "20",
    "RETRY_AFTER_S": "5",
    "MODEL_SERVER_IDLE_S": "10",
}
_DAEMON_KILLS = 3


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--videos", default=300, show_default=True, type=click.IntRange(1), help="Of 10 to 30 s.")
@click.option("--seed", default=1, show_default=True, help="Of the site's moods and of the kills.")
@click.option("--kill-every", default=20.0, show_default=True, help="Seconds between two kills of a run or the server.")
@click.option("--patience", default=60.0, show_default=True, help="Minutes after which what is not done is lost.")
def main(videos: int, seed: int, kill_every: float, patience: float) -> None:
    """Ingest a podcast from a site that answers 404, 429, 503, cuts and stalls, while things are killed.

    The sensors do all the work: nobody launches a run. The daemon is killed three times with -9, runs and the model
    server at random.

    \b
    python -m benchmarks.soak
    python -m benchmarks.soak --videos 20 --seed 2
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        judged, leftovers = soaked(Path(name), videos, seed, kill_every, patience * 60)
    for fate in ("torn", "lost"):
        for title in getattr(judged, fate):
            click.echo(f"{fate}: {title}")
    for thing in leftovers:
        click.echo(f"left over: {thing}")
    click.echo(
        f"soak: videos={videos} right={len(judged.right)} explained={len(judged.explained)} lost={len(judged.lost)} "
        f"torn={len(judged.torn)} leftovers={len(leftovers)}"
    )
    raise SystemExit(bool(judged.lost or judged.torn or leftovers))


def soaked(folder: Path, videos: int, seed: int, kill_every: float, patience_s: float) -> tuple[Verdict, list[str]]:
    """Run the soak in a folder; return what became of the videos, and what was left over at the end."""
    made = recordings(folder, min(videos, 60), seed, _WHISPER)
    planned = episodes(videos, len(made), seed)
    gone = {f"{one.name}.opus" for one in planned if one.is_gone}
    texts = {f"{one.name}.opus": made[one.recording].text for one in planned}
    installation = Installation(folder)
    installation.set(**_SETTINGS)
    with serving(planned, [one.body for one in made]) as site:
        installation.list_sources(f"name: soak, feed: '{site.address}/feed.xml'")
        installation.json("discover")
        installation.run("db", "start")
        session = Session(str(folder / ".env"), data_dir=folder / "data")
        with session.database() as database, dagster(installation) as running:
            _until_settled(database, running, folder, videos, seed, kill_every, patience_s)
            with database.connection() as connection:
                judged = verdict(connection, texts, gone)
    installation.run("db", "stop")
    return judged, _leftovers(installation)


def _until_settled(
    database: Database, running: Dagster, folder: Path, videos: int, seed: int, kill_every: float, patience_s: float
) -> None:
    """Kill from time to time until each video is done or failed for good, and no run is open any more."""
    killer, rng, began = Killer(running, folder, seed), random.Random(seed), time.monotonic()
    daemon_kills = [videos * share // (_DAEMON_KILLS + 1) for share in range(1, _DAEMON_KILLS + 1)]
    kill_at, told_at = began + kill_every, began
    while time.monotonic() - began < patience_s:
        with database.connection() as connection:
            done = settled(connection)
        if done == videos and not daemon_kills and not _open_runs(running):
            break
        now = time.monotonic()
        if daemon_kills and done >= daemon_kills[0]:
            daemon_kills.pop(0)
            killer.kill_a("daemon")
        elif now >= kill_at and done < videos:
            killer.kill_a(rng.choice(["run", "run", "server"]))
            kill_at = now + kill_every
        if now >= told_at + 10:
            told_at = now
            rate = 60 * done / (now - began)
            click.echo(f"{done} of {videos} settled, {rate:.1f} a minute, killed: {' '.join(killer.killed)}", err=True)
        time.sleep(1)


def _open_runs(running: Dagster) -> bool:
    return any(run["status"] not in {"SUCCESS", "FAILURE", "CANCELED"} for run in running.ui.runs())


def _leftovers(installation: Installation) -> list[str]:
    """Return files and processes that are left once the model server has had time to go."""
    try:
        wait_until(lambda: installation.processes() == [])
    except AssertionError:
        return [*installation.processes(), *left_over(installation.folder / "data")]
    return left_over(installation.folder / "data")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.soak")
