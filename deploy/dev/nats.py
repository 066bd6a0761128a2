"""NATS with JetStream: picks its own free ports and tells them in a ports file."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from environment import Environment

CONFIG = """\
server_name: milepost_dev
listen: "127.0.0.1:-1"
http: "127.0.0.1:-1"
ports_file_dir: {ports}
jetstream {{
  store_dir: {store}
}}
"""


def start(folder: Path, environment: Environment, spawn, fast: bool) -> dict:
    store, ports, log = folder / "data" / "nats", folder / "nats", folder / "log" / "nats.log"
    for needed in (store, ports):
        needed.mkdir(parents=True, exist_ok=True)
    for stale in ports.glob("*.ports"):
        stale.unlink()
    config = ports / "nats.conf"
    config.write_text(CONFIG.format(ports=json.dumps(str(ports)), store=json.dumps(str(store))))
    process = spawn([str(environment.nats_server), "--config", str(config)], log, stop_signal="SIGTERM")
    told = process.wait_until_ready(lambda: _ports(ports))
    process.wait_until_ready(lambda: _healthy(told["monitoring"][0]))
    return {"NATS_URL": told["nats"][0], "NATS_MONITOR_URL": told["monitoring"][0]}


def _ports(folder: Path) -> dict | None:
    for file in folder.glob("*.ports"):
        try:
            return json.loads(file.read_text())
        except ValueError:
            return None  # still being written
    return None


def _healthy(monitor: str) -> bool:
    try:
        return urllib.request.urlopen(f"{monitor}/healthz", timeout=5).status == 200
    except OSError:
        return False
