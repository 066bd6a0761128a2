"""One HTTP request's session with the engine: settings and parameters first, then the statement, then its answer."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from typing import Iterable

import statement
from clickhouse_errors import Refused

# Names in the URL that speak to the HTTP interface. Every other name is a setting or a parameter, and the engine refuses unknown ones.
NOT_SETTINGS = {
    "query", "database", "default_format", "compress", "decompress", "query_id", "user", "password", "quota_key", "role",
    "stacktrace", "wait_end_of_query", "buffer_size", "client_protocol_version",
}
LAST_FORMAT = re.compile(rb"\bformat\s+(\w+)\s*(?:settings\b[^()]*)?;?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """`format` is empty for an INSERT."""

    body: bytes
    format: str
    summary: dict


def execute(connection, url: dict, body: Iterable[bytes], read_only: bool) -> Answer:
    """`url` holds the names and values of the request's address, and of its form if it sent one."""
    _prepare(connection, url, read_only)
    text = url.get("query", "").encode()
    insert = statement.find_insert(text)
    if insert is None:  # the statement, or the rest of it, is in the body
        text = b"\n".join(part for part in (text, b"".join(body)) if part)
        insert, body = statement.find_insert(text), ()
    if insert is not None:
        return _insert(connection, insert, body)
    return _query(connection, text, url.get("default_format") or "TabSeparated")


def _prepare(connection, url: dict, read_only: bool) -> None:
    if "session_id" in url:
        raise Refused(48, "NOT_IMPLEMENTED", "The development gateway has no sessions (session_id)")
    if url.get("database"):
        connection.query(f"USE {statement.identifier(url['database'])}")
    settings = {name: value for name, value in url.items() if name not in NOT_SETTINGS}
    for name in settings:
        if not re.fullmatch(r"\w+", name):
            raise Refused(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
    assignments = [f"{name} = {statement.literal(value)}" for name, value in settings.items()]
    if read_only:
        assignments.append("readonly = 2")
    if assignments:
        connection.query("SET " + ", ".join(assignments))


def _insert(connection, insert: statement.Insert, body: Iterable[bytes]) -> Answer:
    """The body is complete before the engine sees it: if the client fails, none of its rows stays.

    The engine's streaming insert (`send_insert`) would take rows as they arrive, but says nothing when a table or a view refuses them.
    """
    with tempfile.NamedTemporaryFile(prefix="milepost-insert-") as file:
        file.write(insert.data)
        for piece in body:
            file.write(piece)
        file.flush()
        source = f"FROM INFILE {statement.literal(file.name)} COMPRESSION 'none'"
        done = connection.query(f"{insert.into} {source} {insert.settings} FORMAT {insert.format}", "Null")
    return Answer(b"", "", {"written_rows": done.rows_written(), "written_bytes": done.bytes_written()})


def _query(connection, text: bytes, default_format: str) -> Answer:
    if not text.strip():
        raise Refused(62, "SYNTAX_ERROR", "Syntax error: Empty query")
    if statement.has_second_statement(text):
        raise Refused(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
    named = LAST_FORMAT.search(text)
    result = connection.query(text.decode(), default_format)
    summary = {"read_rows": result.rows_read(), "read_bytes": result.bytes_read()}
    return Answer(result.bytes(), named[1].decode() if named else default_format, summary)
