"""As much of ClickHouse's SQL as the gateway must see: where a statement ends, and where the data of an INSERT begins."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(
    rb"""(?P<space> \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/)
       | (?P<quoted> '(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
       | (?P<word> \w+)
       | (?P<sign> .)""",
    re.VERBOSE | re.DOTALL,
)
AFTER_FORMAT = re.compile(rb"\s+(\w+)[ \t\f]*;?[ \t\f]*\r?\n?")
VALUES = "Values"


@dataclass(frozen=True)
class Insert:
    """`head` is the statement without its FORMAT clause, `data` what followed that clause in the same text."""

    head: str
    format: str
    data: bytes


def find_insert(text: bytes) -> Insert | None:
    """The parts of an INSERT that takes data; None for any other statement, INSERT … SELECT too."""
    depth, words = 0, 0
    for token in TOKEN.finditer(text):
        if token["sign"]:
            depth += {b"(": 1, b")": -1}.get(token["sign"], 0)
        word = (token["word"] or b"").upper()
        if not word or depth:
            continue
        words += 1
        if words == 1 and word != b"INSERT" or word in (b"SELECT", b"WITH"):
            return None
        if word == b"VALUES":
            return _insert(text[: token.start()], VALUES, text[token.end() :])
        after = AFTER_FORMAT.match(text, token.end()) if word == b"FORMAT" else None
        if after:
            return _insert(text[: token.start()], after[1].decode(), text[after.end() :])
    return None


def _insert(head: bytes, format: str, data: bytes) -> Insert:
    return Insert(head.decode(), VALUES if format.lower() == "values" else format, data)


def has_second_statement(text: bytes) -> bool:
    """Whether anything but comments follows a semicolon: the HTTP interface takes one statement."""
    ended = False
    for token in TOKEN.finditer(text):
        if token["space"] is not None or token["sign"] == b";" and ended:
            continue
        if ended:
            return True
        ended = token["sign"] == b";"
    return False


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(text: str) -> str:
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
