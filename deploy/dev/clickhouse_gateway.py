"""ClickHouse's HTTP interface over the engine of chdb-core: loopback only, no authentication, for development and tests.

Each request is a session of its own. An answer is complete before its first byte is sent, so that an error always has its status and
code. Left out: sessions (`session_id`), roles, users, external tables.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import clickhouse_errors
import clickhouse_session
import http_body
import wire_compression

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
STOP_SECONDS = 5
CONTENT_TYPES = {"JSON": "application/json", "CSV": "text/csv", "Tab": "text/tab-separated-values", "TSV": "text/tab-separated-values"}


class Gateway(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, data: Path):
        from chdb.state.sqlitelike import Connection

        self.connect = lambda: Connection(str(data))
        self.engine = self.connect()  # stays open, so that the engine does too
        self.engine_version = self.engine.query("SELECT version()", "TabSeparated").bytes().decode().strip()
        self.busy = 0
        self.idle = threading.Condition()
        super().__init__(("127.0.0.1", port), Request)

    def __enter__(self):
        """Around one request: `stop` waits for those under way."""
        with self.idle:
            self.busy += 1

    def __exit__(self, *_):
        with self.idle:
            self.busy -= 1
            self.idle.notify_all()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self.idle:
            self.idle.wait_for(lambda: self.busy == 0, STOP_SECONDS)
        self.engine.close()


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "milepost-clickhouse-gateway", ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        with self.server:
            try:
                self._answer()
            except (http_body.ClientGone, ConnectionError):
                self.close_connection = True

    do_POST = do_GET

    def log_message(self, *_) -> None:
        pass

    def _answer(self) -> None:
        address = urlsplit(self.path)
        url = dict(parse_qsl(address.query, keep_blank_values=True))
        self.query_id = url.get("query_id") or str(uuid.uuid4())
        if address.path in ("/ping", "/replicas_status") or (self.command == "GET" and not url):
            return self._send(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        began = time.monotonic_ns()
        pieces = http_body.pieces(self.headers, self.rfile)
        try:
            answer = self._execute(url, pieces)
        except (http_body.ClientGone, ConnectionError):
            raise
        except Exception as failure:
            for _ in pieces:  # the client may read the answer only when it has sent everything
                pass
            return self._send_failure(failure)
        self._send_answer(answer, url, time.monotonic_ns() - began)

    def _execute(self, url: dict, pieces) -> clickhouse_session.Answer:
        body = wire_compression.decoded(pieces, self.headers.get("Content-Encoding", ""))
        if url.get("decompress") == "1":
            body = wire_compression.from_blocks(body)
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            url.update(http_body.form_fields(content_type, b"".join(body)))
            body = ()
        url.setdefault("database", self.headers.get("X-ClickHouse-Database", ""))
        url.setdefault("default_format", self.headers.get("X-ClickHouse-Format", ""))
        connection = self.server.connect()
        try:
            return clickhouse_session.execute(connection, url, body, read_only=self.command == "GET")
        finally:
            connection.close()

    def _send_answer(self, answer: clickhouse_session.Answer, url: dict, elapsed_ns: int) -> None:
        summary = {**answer.summary, "result_bytes": len(answer.body), "elapsed_ns": elapsed_ns}
        headers = {
            "Content-Type": _content_type(answer.format),
            "X-ClickHouse-Format": answer.format or "TabSeparated",
            "X-ClickHouse-Summary": "{" + ",".join(f'"{name}":"{value}"' for name, value in summary.items()) + "}",
        }
        body = wire_compression.to_blocks(answer.body) if url.get("compress") == "1" else answer.body
        encoding = wire_compression.encoding_for(self.headers.get("Accept-Encoding", ""))
        if encoding and body and url.get("enable_http_compression", "1") in ("1", "true"):
            body, headers["Content-Encoding"] = wire_compression.encoded(body, encoding), encoding
        self._send(200, body, headers)

    def _send_failure(self, failure: Exception) -> None:
        code, text = clickhouse_errors.describe(failure, self.server.engine_version)
        headers = {"Content-Type": "text/plain; charset=UTF-8", "X-ClickHouse-Exception-Code": str(code)}
        self._send(clickhouse_errors.http_status(code), f"{text}\n".encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict) -> None:
        self.send_response(status)
        common = {"X-ClickHouse-Query-Id": self.query_id, "X-ClickHouse-Timezone": "UTC", "Content-Length": str(len(body))}
        for name, value in {**headers, **common}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _content_type(format: str) -> str:
    prefix = next((prefix for prefix in CONTENT_TYPES if format.startswith(prefix)), None)
    if prefix:
        return f"{CONTENT_TYPES[prefix]}; charset=UTF-8"
    return "application/octet-stream" if format.startswith(("RowBinary", "Native", "Parquet", "Arrow")) else "text/plain; charset=UTF-8"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the engine's data directory: one gateway at a time")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once requests are answered")
    arguments = parser.parse_args()
    os.environ["TZ"] = "UTC"  # as in the server's image
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # before the engine starts its threads: only `sigwait` gets them
    gateway = Gateway(arguments.port, arguments.data.resolve())
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    print(f"clickhouse {gateway.engine_version} on 127.0.0.1:{gateway.server_port}", flush=True)
    if arguments.port_file:
        unfinished = arguments.port_file.with_suffix(".new")
        unfinished.write_text(str(gateway.server_port))
        unfinished.replace(arguments.port_file)
    signal.sigwait(STOP_SIGNALS)
    stopping = threading.Thread(target=gateway.stop, daemon=True)
    stopping.start()
    stopping.join(2 * STOP_SECONDS)
    sys.stdout.flush()
    os._exit(0)  # idle keep-alive connections have threads of their own


if __name__ == "__main__":
    main()
