"""ClickHouse: the engine in a process of our own, behind the HTTP gateway of `clickhouse_gateway.py`."""

from __future__ import annotations

from pathlib import Path

from environment import Environment

GATEWAY = Path(__file__).resolve().parent / "clickhouse_gateway.py"


def start(folder: Path, environment: Environment, spawn, fast: bool) -> dict:
    data, told, log = folder / "data" / "clickhouse", folder / "clickhouse.port", folder / "log" / "clickhouse.log"
    data.mkdir(parents=True, exist_ok=True)
    told.unlink() if told.exists() else None
    process = spawn(
        [str(environment.python), "-B", str(GATEWAY), "--data", str(data), "--port-file", str(told)], log, stop_signal="SIGTERM"
    )
    port = process.wait_until_ready(lambda: told.exists() and told.read_text().strip(), seconds=60)
    return {"CLICKHOUSE_URL": f"http://127.0.0.1:{port}"}
