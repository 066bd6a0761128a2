"""Processes that outlive the script that started them: told apart by pid and start time, so a recycled pid is never signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_SECONDS = 15
POLL_SECONDS = 0.01


class StartFailed(Exception):
    pass


def start_time(pid: int) -> str | None:
    """When the process `pid` started, as opaque text; None when there is no such process (or only its zombie)."""
    if sys.platform.startswith("linux"):
        return _start_time_linux(pid)
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.split(None, 1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()


def _start_time_linux(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def is_alive(record: dict) -> bool:
    return record["started"] is not None and start_time(record["pid"]) == record["started"]


class Server(subprocess.Popen):
    """A server in a session of its own (a Ctrl-C at the terminal does not reach it), its output at the end of `log`."""

    def __init__(self, command: list[str], log: Path, **options):
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            self._log, self._log_before = log, output.tell()
            super().__init__(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True, **options
            )

    def wait_until_ready(self, ready, seconds: float = 30):
        """Poll `ready()` until it returns something; fail as soon as the process ends, with the end of its log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = ready()
            if answer:
                return answer
            if self.poll() is not None:
                raise StartFailed(f"{Path(self.args[0]).name} ended with code {self.returncode}:\n{self._last_words()}")
            time.sleep(POLL_SECONDS)
        raise StartFailed(f"{Path(self.args[0]).name} was not ready within {seconds:.0f} s:\n{self._last_words()}")

    def _last_words(self, lines: int = 15) -> str:
        said = self._log.read_bytes()[self._log_before :].decode(errors="replace")
        return "\n".join("  " + line for line in said.splitlines()[-lines:])


def stop_all(records: list[dict]) -> None:
    """Ask each process to stop with its own signal, wait for all of them; force those that stay."""
    for record in records:
        _signal(record, signal.Signals[record["stop_signal"]])
    deadline = time.monotonic() + STOP_SECONDS
    while any(is_alive(record) for record in records) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for record in records:
        if is_alive(record):
            print(f"{record['name']} did not stop within {STOP_SECONDS} s, killing it", file=sys.stderr)
            _signal(record, signal.SIGKILL)


def _signal(record: dict, number: signal.Signals) -> None:
    if not is_alive(record):
        return
    try:
        os.kill(record["pid"], number)
    except ProcessLookupError:
        pass

