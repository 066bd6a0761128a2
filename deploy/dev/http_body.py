"""The body of an HTTP request, read as it arrives: by Content-Length or in chunks; and the fields of a form."""

from __future__ import annotations

import re
from typing import BinaryIO, Iterator

PIECE = 256 * 1024


class ClientGone(Exception):
    """The connection ended before the body did."""


def pieces(headers, stream: BinaryIO) -> Iterator[bytes]:
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        yield from _chunked(stream)
    else:
        yield from _exactly(stream, int(headers.get("Content-Length") or 0))


def _chunked(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        line = stream.readline(1024)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise ClientGone from None
        if size == 0:
            break
        yield from _exactly(stream, size)
        if stream.readline(3) != b"\r\n":
            raise ClientGone
    while stream.readline(65536) not in (b"\r\n", b""):
        pass  # trailers


def _exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        try:
            piece = stream.read(min(size, PIECE))
        except OSError:
            raise ClientGone from None
        if not piece:
            raise ClientGone
        size -= len(piece)
        yield piece


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of multipart/form-data."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if not boundary:
        raise ValueError("multipart/form-data without a boundary")
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if separator and name:
            fields[name[1].decode()] = value.decode()
    return fields
