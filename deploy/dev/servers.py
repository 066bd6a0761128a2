#!/usr/bin/env python3
"""NATS, PostgreSQL and ClickHouse for development and tests, without Docker and without root. See README.md beside this file."""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or later is needed")
sys.dont_write_bytecode = True

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import environment
import processes
import unprivileged
from server_set import NAMES, VARIABLES, VERSIONS, ServerSet

DEV = Path(__file__).resolve().parents[2] / ".dev"
COMMAND_STOP_SECONDS = 10


def main() -> int:
    arguments = _parse()
    try:
        return arguments.command(arguments)
    except (environment.InstallFailed, processes.StartFailed, unprivileged.Unreachable) as failure:
        print(failure, file=sys.stderr)
        return 1


def up(arguments) -> int:
    installed = environment.ensure(DEV)
    with environment.locked(DEV / "up.lock"):
        servers = ServerSet(DEV)
        if servers.is_up():
            say("already up:")
            return _print(servers)
        if servers.servers():
            say("some servers are gone, starting all again")
            servers.stop()
        _sweep()
        _start(servers, NAMES, installed, shared_buffers="512MB")
        servers.write_exports()
        _print(servers)
        say(f"use them: . {os.path.relpath(DEV / 'env')}")
    return 0


def down(arguments) -> int:
    with environment.locked(DEV / "up.lock"):
        servers = ServerSet(DEV)
        running = [server["name"] for server in servers.servers() if processes.is_alive(server)]
        servers.stop()
        _sweep()
    say(f"stopped {', '.join(running)}" if running else "nothing was up")
    return 0


def status(arguments) -> int:
    servers = ServerSet(DEV)
    if not servers.servers():
        say("nothing is up")
        return 1
    _print(servers)
    return 0 if servers.is_up() else 1


def run(arguments) -> int:
    """Fresh servers for one command, gone when it ends, however it ends."""
    if not arguments.words:
        say("run what? servers.py run -- COMMAND…")
        return 2
    signals = Signals()
    installed = environment.ensure(DEV)
    servers = _fresh_set()
    try:
        _start(servers, arguments.only, installed, shared_buffers="256MB", fast=arguments.fast)
        return signals.run_command(arguments.words, _variables_for(servers))
    except Interrupted as interrupted:
        return 128 + interrupted.number
    finally:
        signals.ignore()
        servers.stop()
        if arguments.keep:
            kept = servers.folder.rename(servers.folder.with_name(servers.folder.name.replace("run-", "kept-")))
            say(f"data and logs kept in {kept}")
        else:
            shutil.rmtree(servers.folder, ignore_errors=True)


class Interrupted(BaseException):
    def __init__(self, number: int):
        self.number = number


class Signals:
    """While servers start, a signal ends the script; while the command runs, it is the command's to obey."""

    HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.command, self.launching, self.early = None, False, None
        for number in self.HANDLED:
            signal.signal(number, self._receive)

    def run_command(self, words: list[str], variables: dict) -> int:
        self.launching = True  # from here a signal waits until there is a command to pass it to
        try:
            self.command = subprocess.Popen(words, env=variables)
        except OSError as failure:
            say(f"cannot run {words[0]}: {failure.strerror}")
            return 127
        if self.early:
            self.command.send_signal(self.early)
        code = self.command.wait()
        return code if code >= 0 else 128 - code

    def ignore(self) -> None:
        for number in self.HANDLED:
            signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame) -> None:
        if self.command is None:
            if not self.launching:
                raise Interrupted(number)
            self.early = number
            return
        if not (number == signal.SIGINT and _is_foreground()):  # the terminal has told the command already
            self.command.send_signal(number)
        signal.signal(signal.SIGALRM, lambda *_: self.command.kill())
        signal.alarm(COMMAND_STOP_SECONDS)


def _is_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _start(servers: ServerSet, names: tuple[str, ...], installed, **options) -> None:
    began = time.monotonic()
    servers.start(names, installed, **options)
    say(f"{', '.join(VERSIONS[name] for name in names)} up in {time.monotonic() - began:.1f} s")


def _fresh_set() -> ServerSet:
    with environment.locked(DEV / "tmp.lock"):
        _sweep_abandoned()
        parent = unprivileged.reachable_folder(DEV / "tmp", ("/var/tmp", "/tmp"))
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        folder.chmod(0o755)
        servers = ServerSet(folder)
        servers.own()
    return servers


def _sweep() -> None:
    with environment.locked(DEV / "tmp.lock"):
        _sweep_abandoned()


def _sweep_abandoned() -> None:
    """Stop and remove what a killed `run` could not: sets whose owner is gone."""
    for folder in (DEV / "tmp").glob("run-*"):
        abandoned = ServerSet(folder)
        if abandoned.is_abandoned():
            processes.stop_all(abandoned.servers())
            shutil.rmtree(folder, ignore_errors=True)


def _variables_for(servers: ServerSet) -> dict:
    """The caller's environment with our variables; those of servers not started are taken out rather than left to point elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**inherited, **servers.variables()}


def _print(servers: ServerSet) -> int:
    urls = {"nats": "NATS_URL", "postgres": "DATABASE_URL", "clickhouse": "CLICKHOUSE_URL"}
    for server in servers.servers():
        name = server["name"]
        state = f"pid {server['pid']}" if processes.is_alive(server) else f"NOT RUNNING, see {server['log']}"
        say(f"  {VERSIONS[name]:<16} {servers.variables().get(urls[name], '-'):<50} {state}")
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(NAMES)}")
    return names


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="servers.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="up | down | status | run")
    for command in (up, down, status):
        commands.add_parser(command.__name__).set_defaults(command=command)
    runs = commands.add_parser("run", help="fresh servers for one command")
    runs.add_argument("--only", type=_names, default=NAMES, metavar="nats,postgres", help="start these only")
    runs.add_argument("--fast", action="store_true", help="Postgres without fsync: the machine must not crash, processes may")
    runs.add_argument("--keep", action="store_true", help="keep data and logs afterwards")
    runs.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND…")
    runs.set_defaults(command=run)
    arguments = parser.parse_args()
    if getattr(arguments, "words", [])[:1] == ["--"]:
        arguments.words = arguments.words[1:]
    return arguments


if __name__ == "__main__":
    sys.exit(main())
