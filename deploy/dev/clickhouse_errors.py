"""ClickHouse's errors: the text and code the engine gives, and the HTTP status a server answers with."""

from __future__ import annotations

import re

UNKNOWN_EXCEPTION = 1002
NOT_IMPLEMENTED = 48
BAD_REQUEST = {6, 9, 20, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 184, 271, 377, 386, 456, 457}
NOT_FOUND = {16, 46, 47, 50, 56, 60, 63, 73, 79, 81, 115}
STATUS = {48: 501, 89: 415, 159: 408, 164: 403, 497: 403, 242: 503, 202: 503, 452: 412}


class Refused(Exception):
    """What the gateway itself says no to, in the words of ClickHouse."""

    def __init__(self, code: int, name: str, message: str):
        super().__init__(f"Code: {code}. DB::Exception: {message}. ({name})")


def describe(failure: Exception, engine_version: str) -> tuple[int, str]:
    """The code and the text of a failure, the text in the form of a server's answer."""
    text = str(failure)
    found = re.search(r"Code: (\d+)\.", text)
    if not found:
        code = NOT_IMPLEMENTED if "does not support" in text else UNKNOWN_EXCEPTION
        return code, f"Code: {code}. DB::Exception: {text or type(failure).__name__} (version {engine_version})"
    text = text[found.start() :]
    return int(found[1]), text if "(version " in text else f"{text} (version {engine_version})"


def http_status(code: int) -> int:
    return STATUS.get(code) or (400 if code in BAD_REQUEST else 404 if code in NOT_FOUND else 500)
