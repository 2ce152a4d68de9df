"""Folders that only this user can enter, and short ones for sockets."""

import hashlib
import os
from pathlib import Path

from .errors import EnvironmentFault


def socket_folder(folder: Path) -> Path:
    """Return where the sockets of a server lie that keeps its files in `folder`.

    Not TMPDIR: it differs between a shell and a service, and a socket's path may have 107 bytes at most.
    """
    mark = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:8]
    return Path("/tmp") / f"ingest-{os.geteuid()}-{mark}"


def make_private(folder: Path) -> None:
    """Have a folder that only this user can enter; raise `EnvironmentFault` for a link or another user's, `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_owner(folder)
    folder.chmod(0o700)


def check_owner(folder: Path) -> None:
    """Raise `EnvironmentFault` where somebody else laid the folder there."""
    owner = folder.lstat().st_uid
    if folder.is_symlink() or owner != os.geteuid():
        raise EnvironmentFault(
            f"{folder} is a link, or belongs to another user (number {owner}).",
            "Run as that user, or move it away, or set DATA_DIR.",
        )
