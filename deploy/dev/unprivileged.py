"""Postgres refuses to run as root. When root starts it, it runs as `nobody`; here is what that user needs: folders it can reach."""

from __future__ import annotations

import hashlib
import os
import pwd
import subprocess
from pathlib import Path

USER = "nobody"


class Unreachable(Exception):
    """A folder that the Postgres user cannot reach, and that is not ours to replace."""


def needed() -> bool:
    return os.geteuid() == 0


def identity() -> dict:
    """Arguments for `subprocess`: who Postgres runs as. Nothing to change for an ordinary user."""
    if not needed():
        return {}
    account = pwd.getpwnam(USER)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def own(folder: Path) -> None:
    if needed():
        account = pwd.getpwnam(USER)
        os.chown(folder, account.pw_uid, account.pw_gid)


def reachable_folder(folder: Path, fallbacks: tuple[str, ...]) -> Path:
    """Create `folder` where the Postgres user can reach it, and return its real path.

    Below a private home that is not possible: then the first usable fallback holds the folder and `folder` is a link to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() and not folder.exists():
        folder.unlink()  # its target was cleaned away
    if not folder.exists():
        if _can_enter(folder.parent):
            folder.mkdir()
        else:
            folder.symlink_to(_fallback(folder, fallbacks))
    elif not _can_enter(folder.resolve()):
        _replace_if_empty(folder, fallbacks)
    return folder.resolve()


def _replace_if_empty(folder: Path, fallbacks: tuple[str, ...]) -> None:
    if folder.is_symlink() or any(folder.iterdir()):
        raise Unreachable(f"{folder} cannot be reached by user {USER}, which runs Postgres for root: remove it and start again")
    folder.rmdir()
    folder.symlink_to(_fallback(folder, fallbacks))


def _fallback(folder: Path, fallbacks: tuple[str, ...]) -> Path:
    checkout = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    for base in map(Path, fallbacks):
        if not (base.is_dir() and os.access(base, os.W_OK) and _can_enter(base)):
            continue
        candidate = base / f"milepost-dev-{checkout}-{folder.name}"
        candidate.mkdir(mode=0o755, exist_ok=True)
        if candidate.lstat().st_uid == os.geteuid() and not candidate.is_symlink():
            return candidate
    raise Unreachable(f"user {USER} can reach neither {folder} nor any of {', '.join(fallbacks)}")


def _can_enter(folder: Path) -> bool:
    if not needed():
        return True
    return subprocess.run(["test", "-x", str(folder)], cwd="/", **identity()).returncode == 0
