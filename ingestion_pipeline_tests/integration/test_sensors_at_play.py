"""Random sequences of ticks, kills, cancels, failures and successes: no video runs twice at once, and none is lost."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.settings import Settings
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.daemon import Daemon, finish, note_failure
from ingestion_pipeline_tests.support.examples import video
from ingestion_pipeline_tests.support.model_servers import wait_until

KEYS = [video(number).key for number in range(3)]
SENSORS = ("new_uploads", "retry_due")
_which = st.integers(0, len(KEYS) - 1)
ENDS = ["succeeds", "is killed", "is cancelled", "fails", "fails for good", "waits"]
MOVES = st.one_of(
    st.tuples(st.just("tick"), st.sampled_from(SENSORS)),
    st.tuples(st.just("killed tick"), st.sampled_from(SENSORS), st.integers(0, 4)),
    *[st.tuples(st.just(end), _which) for end in ENDS],
    st.tuples(st.sampled_from(["run by hand", "starts", "is asked for again"]), _which),
)


class Play:
    """Three videos, and what happens to their runs; pauses are over at once."""

    def __init__(self, database: Database, daemon: Daemon) -> None:
        self.database, self.daemon = database, daemon
        with database.writing() as connection:
            connection.execute("truncate videos, embedding_models cascade")
            catalogue.save_videos(connection, [video(number) for number in range(len(KEYS))])

    def make(self, move: tuple) -> None:
        name, *arguments = move
        moves: dict[str, Callable[..., None]] = {
            "tick": self.tick,
            "killed tick": self.tick,
            "run by hand": lambda which: self.daemon.run(KEYS[which]),
            "starts": lambda which: self.end(which, "STARTED"),
            "succeeds": self.succeed,
            "is killed": lambda which: self.end(which, "FAILURE"),
            "is cancelled": lambda which: self.end(which, "CANCELED"),
            "fails": lambda which: self.fail(which, retry_in_s=0),
            "fails for good": lambda which: self.fail(which, retry_in_s=None),
            "waits": self.wait,
            "is asked for again": self.ask,
        }
        moves[name](*arguments)

    def tick(self, sensor: str, killed_after: int | None = None) -> None:
        """Let a sensor tick; what it requests is nobody's yet, and is requested once."""
        self.daemon.resume()
        busy = {key for key in KEYS if self.daemon.unfinished(key)}
        requested = self.daemon.tick(sensor, killed_after)
        assert not busy & set(requested)
        assert len(requested) == len(set(requested))
        of_sensors = [run for run in self.daemon.unfinished() if "dagster/sensor_name" in run.tags]
        most = Counter(run.tags["dagster/partition"] for run in of_sensors).most_common(1)
        assert not most or most[0][1] == 1

    def end(self, which: int, status: str, explained: str = "") -> bool:
        """Let a run of a video start or end; return whether there was one."""
        runs = self.daemon.unfinished(KEYS[which])
        if runs:
            self.daemon.become(runs[-1].run_id, status, explained)
        return bool(runs)

    def succeed(self, which: int) -> None:
        if self.daemon.unfinished(KEYS[which]):
            finish(self.database, KEYS[which])
            self.end(which, "SUCCESS")

    def fail(self, which: int, retry_in_s: float | None) -> None:
        if self.daemon.unfinished(KEYS[which]):
            note_failure(self.database, KEYS[which], retry_in_s)
            self.end(which, "FAILURE", "transient")

    def wait(self, which: int) -> None:
        if self.daemon.unfinished(KEYS[which]):
            note_failure(self.database, KEYS[which], 0, "deferred")
            self.end(which, "SUCCESS", "deferred")

    def ask(self, which: int) -> None:
        with self.database.connection() as connection:
            connection.execute("update failures set retry_at = now() where video = %s", (KEYS[which],))

    def over(self) -> bool:
        """Let all that is requested succeed; return whether nobody waits any more."""
        for sensor in SENSORS:
            self.tick(sensor)
        for which in range(len(KEYS)):
            while self.daemon.unfinished(KEYS[which]):
                self.succeed(which)
        return all(self.is_done(key) or self.is_left_to_a_person(key) for key in KEYS)

    def is_done(self, key: str) -> bool:
        return self.asked("select exists (select from embedded_videos where video = %s)", key)

    def is_left_to_a_person(self, key: str) -> bool:
        """Tell whether a video failed for good, which is said as well where run after run of it was killed."""
        return self.asked("select exists (select from failures where video = %s and retry_at is null)", key)

    def asked(self, question: str, key: str) -> bool:
        with self.database.connection() as connection:
            return connection.execute(question, (key,)).fetchone() == (True,)  # type: ignore[arg-type]


@pytest.fixture
def project(database: Database, tmp_path: Path) -> dg.Definitions:
    own = Settings(_env_file=None, data_dir=tmp_path, whisper_device="cpu", retry_after_s=1e-6)  # type: ignore[call-arg]
    return definitions(own, database.url)


# Not shrunk: that takes minutes, and so few moves can be read.
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=st.lists(MOVES, min_size=10, max_size=25))
def test_whatever_happens_no_video_runs_twice_at_once_and_none_is_lost(
    database: Database, project: dg.Definitions, moves: list[tuple]
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        play = Play(database, Daemon(project, instance))
        for move in moves:
            play.make(move)
        wait_until(play.over, patience_s=10)
