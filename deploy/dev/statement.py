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
    """`into` is the statement up to its SETTINGS and FORMAT clauses, `data` what followed the latter in the same text."""

    into: str
    settings: str
    format: str
    data: bytes


def find_insert(text: bytes) -> Insert | None:
    """The parts of an INSERT that takes data; None for any other statement, INSERT … SELECT too."""
    depth, words, settings = 0, 0, None
    for token in TOKEN.finditer(text):
        if token["sign"]:
            depth += {b"(": 1, b")": -1}.get(token["sign"], 0)
        word = (token["word"] or b"").upper()
        words += 1 if (word or token["quoted"]) and not depth else 0
        if not word or depth:
            continue
        if words == 1 and word != b"INSERT" or word in (b"SELECT", b"WITH"):
            return None
        if word == b"SETTINGS" and words > 3:  # INSERT INTO table SETTINGS
            settings = token.start()
        if word == b"VALUES":
            return _insert(text[: token.start()], settings, VALUES, text[token.end() :])
        after = AFTER_FORMAT.match(text, token.end()) if word == b"FORMAT" else None
        if after:
            return _insert(text[: token.start()], settings, after[1].decode(), text[after.end() :])
    return None


def _insert(head: bytes, settings: int | None, format: str, data: bytes) -> Insert:
    into, rest = (head[:settings], head[settings:]) if settings else (head, b"")
    return Insert(into.decode(), rest.decode(), VALUES if format.lower() == "values" else format, data)


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
