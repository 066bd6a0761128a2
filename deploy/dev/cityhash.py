"""CityHash128 in the version ClickHouse froze (1.0.2, by Geoff Pike and Jyrki Alakuijala, Google, MIT licence): checksums of compressed blocks."""

from __future__ import annotations

from struct import unpack_from

MASK = 0xFFFFFFFFFFFFFFFF
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
MUL = 0x9DDFEA08EB382D69


def cityhash128(data: bytes) -> bytes:
    """The hash as ClickHouse writes it in front of a block: low half, high half, each little-endian."""
    size = len(data)
    if size >= 16:
        low, high = _seeded(data, 16, _word(data, 0) ^ K3, _word(data, 8))
    elif size >= 8:
        low, high = _short(b"", 0, _word(data, 0) ^ (size * K0 & MASK), _word(data, size - 8) ^ K1)
    else:
        low, high = _short(data, 0, K0, K1)
    return low.to_bytes(8, "little") + high.to_bytes(8, "little")


def _seeded(data: bytes, start: int, low: int, high: int) -> tuple[int, int]:
    size = len(data) - start
    if size < 128:
        return _short(data, start, low, high)
    x, y, z = low, high, size * K1 & MASK
    v1 = (_rotate(y ^ K1, 49) * K1 + _word(data, start)) & MASK
    v2 = (_rotate(v1, 42) * K1 + _word(data, start + 8)) & MASK
    w1 = (_rotate(y + z, 35) * K1 + x) & MASK
    w2 = _rotate(x + _word(data, start + 88), 53) * K1 & MASK
    at = start
    for _ in range(size // 128 * 2):  # 64 bytes a turn
        s0, s1, s2, s3, s4, s5, s6, s7 = unpack_from("<8Q", data, at)
        x = _rotate(x + y + v1 + s2, 37) * K1 & MASK ^ w2
        y = _rotate(y + v2 + s6, 42) * K1 & MASK ^ v1
        z = _rotate(z ^ w1, 33)
        v1, v2 = _mix32(s0, s1, s2, s3, v2 * K1, x + w1)
        w1, w2 = _mix32(s4, s5, s6, s7, z + w2, y)
        x, z = z, x
        at += 64
    y = (y + _rotate(w1, 37) * K0 + z) & MASK
    x = (x + _rotate(v1 + z, 49) * K0) & MASK
    done, rest = 0, size % 128
    while done < rest:  # the tail, 32 bytes at a time from its end; the last step may reach back into what was hashed
        done += 32
        s0, s1, s2, s3 = unpack_from("<4Q", data, len(data) - done)
        y = (_rotate(y - x, 42) * K0 + v2) & MASK
        w1 = (w1 + s2) & MASK
        x = (_rotate(x, 49) * K0 + w1) & MASK
        w1 = (w1 + v1) & MASK
        v1, v2 = _mix32(s0, s1, s2, s3, v1, v2)
    x, y = _hash16(x, v1), _hash16(y, w1)
    return (_hash16(x + v2, w2) + y) & MASK, _hash16(x + w2, y + v2)


def _short(data: bytes, start: int, a: int, b: int) -> tuple[int, int]:
    size = len(data) - start
    if size <= 16:
        a = _shift_mix(a * K1) * K1 & MASK
        c = (b * K1 + _hash_up_to_16(data[start:])) & MASK
        d = _shift_mix(a + (_word(data, start) if size >= 8 else c))
    else:
        c = _hash16(_word(data, len(data) - 8) + K1, a)
        d = _hash16(b + size, c + _word(data, len(data) - 16))
        a = (a + d) & MASK
        for at in range(start, len(data) - 16, 16):
            a = (a ^ _shift_mix(_word(data, at) * K1) * K1 & MASK) * K1 & MASK
            b ^= a
            c = (c ^ _shift_mix(_word(data, at + 8) * K1) * K1 & MASK) * K1 & MASK
            d ^= c
    a, b = _hash16(a, c), _hash16(d, b)
    return a ^ b, _hash16(b, a)


def _hash_up_to_16(data: bytes) -> int:
    size = len(data)
    if size > 8:
        last = _word(data, size - 8)
        return _hash16(_word(data, 0), _rotate(last + size, size)) ^ last
    if size >= 4:
        first, last = unpack_from("<I", data, 0)[0], unpack_from("<I", data, size - 4)[0]
        return _hash16(size + (first << 3), last)
    if size > 0:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _shift_mix(y * K2 ^ z * K3) * K2 & MASK
    return K2


def _mix32(w: int, x: int, y: int, z: int, a: int, b: int) -> tuple[int, int]:
    a = (a + w) & MASK
    b = _rotate(b + a + z, 21)
    c = a
    a = (a + x + y) & MASK
    b += _rotate(a, 44)
    return (a + z) & MASK, (b + c) & MASK


def _hash16(u: int, v: int) -> int:
    a = _shift_mix(((u ^ v) & MASK) * MUL)
    return _shift_mix(((v ^ a) & MASK) * MUL) * MUL & MASK


def _shift_mix(value: int) -> int:
    value &= MASK
    return value ^ value >> 47


def _rotate(value: int, by: int) -> int:
    value &= MASK
    return (value >> by | value << 64 - by) & MASK


def _word(data: bytes, at: int) -> int:
    return unpack_from("<Q", data, at)[0]
