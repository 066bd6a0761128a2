"""PostgreSQL: initialised on first start, loopback only, trust authentication, database `milepost`."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import processes
import unprivileged
from environment import Environment

PLACES_FOR_DATA = ("/var/tmp", "/tmp")
RETRY_SECONDS = 20
# Another process took the port; what is left of a killed Postgres is not gone yet.
PASSING = ("could not bind", "postmaster.pid\" already exists", "pre-existing shared memory block")
CREATE_DATABASE = """
select 'create database milepost' where not exists (select from pg_database where datname = 'milepost') \\gexec
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "replica",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "timezone": "UTC",
}


def start(folder: Path, environment: Environment, spawn, fast: bool, shared_buffers: str) -> dict:
    data, log = folder / "data" / "postgres", folder / "log" / "postgres.log"
    home = unprivileged.reachable_folder(data, PLACES_FOR_DATA)
    cluster = home / "cluster"
    if not cluster.exists():
        _initialise(home, cluster, environment)
    settings = {**SETTINGS, "shared_buffers": shared_buffers}
    if fast:
        settings.update(fsync="off", full_page_writes="off")
    port = _launch(cluster, settings, log, environment, spawn)
    _create_database(port, environment)
    return {"DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/milepost"}


def _initialise(home: Path, cluster: Path, environment: Environment) -> None:
    """Into a folder of another name first, so that an interrupted attempt is never taken for a cluster."""
    fresh = home / "cluster.new"
    subprocess.run(["rm", "-rf", str(fresh)], check=True)
    fresh.mkdir(mode=0o700)
    unprivileged.own(fresh)
    done = subprocess.run(
        [str(environment.postgres_bin / "initdb"), "-N", "-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"],
        capture_output=True, text=True, cwd="/", env=_clean_environment(), **unprivileged.identity(),
    )
    if done.returncode != 0:
        raise processes.StartFailed(f"initdb failed:\n{done.stdout}{done.stderr}")
    fresh.rename(cluster)


def _launch(cluster: Path, settings: dict, log: Path, environment: Environment, spawn) -> int:
    """Postgres cannot pick a port itself: a free one is chosen here, and another if somebody was faster."""
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        port = _free_port()
        process = spawn(
            [str(environment.postgres_bin / "postgres"), "-D", str(cluster), "-p", str(port), *options],
            log, stop_signal="SIGINT",  # a fast shutdown, as `pg_ctl stop -m fast`
            env=_clean_environment(), **unprivileged.identity(),
        )
        try:
            process.wait_until_ready(lambda: _is_ready(cluster, process.pid), seconds=120)
            return port
        except processes.StartFailed as failure:
            if time.monotonic() > deadline or not any(reason in str(failure) for reason in PASSING):
                raise
            time.sleep(0.2)


def _is_ready(cluster: Path, pid: int) -> bool:
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _create_database(port: int, environment: Environment) -> None:
    psql = [str(environment.postgres_bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]
    subprocess.run(
        [*psql, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "postgres"],
        input=CREATE_DATABASE, text=True, check=True, cwd="/", env=_clean_environment(),
    )


def _clean_environment() -> dict:
    """Without the PG… variables of the caller's shell, which would redirect the tools."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
