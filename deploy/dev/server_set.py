"""One set of servers below one folder: started together, recorded in `servers.json` as they start, stopped by that record."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse
import nats
import postgres
import processes
from environment import Environment

NAMES = ("nats", "postgres", "clickhouse")
VERSIONS = {"nats": "nats 2.15.1", "postgres": "postgres 18.6", "clickhouse": "clickhouse 26.9"}
VARIABLES = ("DATABASE_URL", "NATS_URL", "NATS_MONITOR_URL", "CLICKHOUSE_URL")


class ServerSet:
    def __init__(self, folder: Path):
        self.folder = folder
        self.record = folder / "servers.json"
        self._writing = threading.Lock()
        self._children = []
        self._state = {"owner": None, "servers": {}, "variables": {}}
        with contextlib.suppress(FileNotFoundError):
            self._state = json.loads(self.record.read_text())

    def own(self) -> None:
        """Say which process these servers belong to: when it is gone, anybody may sweep them away."""
        self._state["owner"] = {"pid": os.getpid(), "started": processes.start_time(os.getpid())}
        self._write()

    def is_abandoned(self) -> bool:
        owner = self._state["owner"]
        return owner is None or not processes.is_alive(owner)

    def servers(self) -> list[dict]:
        return [self._state["servers"][name] for name in NAMES if name in self._state["servers"]]

    def variables(self) -> dict:
        return dict(self._state["variables"])

    def is_up(self) -> bool:
        return set(self._state["servers"]) == set(NAMES) and all(map(processes.is_alive, self.servers()))

    def start(self, names: tuple[str, ...], environment: Environment, shared_buffers: str, fast: bool = False) -> None:
        """Start the named servers side by side; if one fails, stop the others and raise its failure."""
        starters = {
            "nats": nats.start,
            "postgres": functools.partial(postgres.start, shared_buffers=shared_buffers),
            "clickhouse": clickhouse.start,
        }
        self._state["variables"] = {
            "MILEPOST_DEV_NATS_SERVER": str(environment.nats_server),
            "MILEPOST_DEV_PG_BIN": str(environment.postgres_bin),
            "MILEPOST_DEV_PYTHON": str(environment.python),
            "MILEPOST_DEV_NODE": str(environment.node),
        }
        try:
            with ThreadPoolExecutor(len(names)) as side_by_side:
                started = [
                    side_by_side.submit(starters[name], self.folder, environment, functools.partial(self._spawn, name), fast)
                    for name in names
                ]
                for server in started:
                    self._state["variables"].update(server.result())
        except BaseException:
            self.stop()
            raise
        self._write()

    def stop(self) -> None:
        processes.stop_all(self.servers())
        for child in self._children:
            child.wait()
        self._state.update(servers={}, variables={})
        for file in (self.record, self.folder / "env"):
            if file.exists():
                file.unlink()

    def write_exports(self) -> None:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self.variables().items()]
        (self.folder / "env").write_text("".join(lines))

    def _spawn(self, name: str, command: list[str], log: Path, stop_signal: str, **options):
        process = processes.Server(command, log, **options)
        with self._writing:
            self._children.append(process)
            self._state["servers"][name] = {
                "name": name, "pid": process.pid, "started": processes.start_time(process.pid),
                "stop_signal": stop_signal, "binary": command[0], "log": str(log),
            }
            self._write()
        return process

    def _write(self) -> None:
        unfinished = self.record.with_suffix(".new")
        unfinished.write_text(json.dumps(self._state, indent=2) + "\n")
        unfinished.replace(self.record)
