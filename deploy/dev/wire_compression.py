"""The two layers of compression a ClickHouse client may ask for: HTTP's Content-Encoding, and ClickHouse's own checksummed blocks."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Iterable, Iterator

import lz4.block
import lz4.frame

from cityhash import cityhash128

try:
    from compression import zstd  # Python 3.14 and later
except ImportError:
    zstd = None

BLOCK = struct.Struct("<BII")  # method, size of this header and the compressed bytes, size of the plain bytes
CHECKSUM_SIZE = 16
METHOD_NONE, METHOD_LZ4 = 0x02, 0x82
PLAIN_BLOCK_SIZE = 1 << 20
LARGEST_BLOCK = 1 << 30


class BadCompression(Exception):
    """What the client sent cannot be decompressed; `code` is ClickHouse's error code."""

    def __init__(self, code: int, message: str):
        super().__init__(f"Code: {code}. DB::Exception: {message}")


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo HTTP's Content-Encoding, chunk by chunk."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from chunks
        return
    decompressor = _decompressor(encoding)
    try:
        for chunk in chunks:
            yield decompressor.decompress(chunk)
    except (zlib.error, RuntimeError, OSError, EOFError) as failure:
        raise BadCompression(271, f"Cannot decompress {encoding} body: {failure}. (CANNOT_DECOMPRESS)") from None
    if not decompressor.eof:
        raise BadCompression(271, f"The {encoding} body is cut short. (CANNOT_DECOMPRESS)")


def _decompressor(encoding: str):
    if encoding in ("gzip", "deflate"):
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    if encoding == "lz4":
        return lz4.frame.LZ4FrameDecompressor()
    if encoding == "zstd" and zstd:
        return zstd.ZstdDecompressor()
    raise BadCompression(89, f"The development gateway does not know Content-Encoding {encoding}. (UNKNOWN_COMPRESSION_METHOD)")


def encoded(body: bytes, encoding: str) -> bytes:
    return gzip.compress(body, 1) if encoding == "gzip" else lz4.frame.compress(body)


def encoding_for(accepted: str) -> str:
    """The encoding to answer with, by the client's Accept-Encoding; empty for none."""
    offered = {word.split(";")[0].strip().lower() for word in accepted.split(",")}
    return next((encoding for encoding in ("lz4", "gzip") if encoding in offered), "")


def from_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Undo ClickHouse's own blocks (`decompress=1`). Their checksums are not verified: in Python that would cost most of the speed."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= CHECKSUM_SIZE + BLOCK.size:
            method, size, plain_size = BLOCK.unpack_from(buffer, CHECKSUM_SIZE)
            if not BLOCK.size <= size <= LARGEST_BLOCK or plain_size > LARGEST_BLOCK:
                raise BadCompression(271, "The size in the header of a compressed block makes no sense. (CANNOT_DECOMPRESS)")
            if len(buffer) < CHECKSUM_SIZE + size:
                break
            yield _plain(method, bytes(buffer[CHECKSUM_SIZE + BLOCK.size : CHECKSUM_SIZE + size]), plain_size)
            del buffer[: CHECKSUM_SIZE + size]
    if buffer:
        raise BadCompression(271, "The last compressed block is cut short. (CANNOT_DECOMPRESS)")


def _plain(method: int, data: bytes, plain_size: int) -> bytes:
    if method == METHOD_NONE:
        return data
    if method != METHOD_LZ4:
        raise BadCompression(89, f"Unknown method {method:#x} of a compressed block. (UNKNOWN_COMPRESSION_METHOD)")
    try:
        return lz4.block.decompress(data, uncompressed_size=plain_size)
    except lz4.block.LZ4BlockError as failure:
        raise BadCompression(271, f"Cannot decompress a block: {failure}. (CANNOT_DECOMPRESS)") from None


def to_blocks(body: bytes) -> bytes:
    """ClickHouse's own blocks (`compress=1`), checksums included."""
    blocks = []
    for start in range(0, len(body), PLAIN_BLOCK_SIZE):
        plain = body[start : start + PLAIN_BLOCK_SIZE]
        data = lz4.block.compress(plain, store_size=False)
        block = BLOCK.pack(METHOD_LZ4, BLOCK.size + len(data), len(plain)) + data
        blocks.append(cityhash128(block) + block)
    return b"".join(blocks)
