"""Pictures that the standard library can make: one good one, and bad ones of each kind."""

from __future__ import annotations

import struct
import zlib

__all__ = ["BAD_PICTURES", "bomb", "lying_jpeg", "sample", "truncated"]

SIDE_PX = 96
HUGE_PX = 60_000


def sample() -> bytes:
    """A small colour gradient as PNG; every server can read it, no model need know what it shows."""
    rows = (
        b"\0" + bytes(value for x in range(SIDE_PX) for value in (2 * x, 2 * y, 255 - x - y)) for y in range(SIDE_PX)
    )
    return _png(SIDE_PX, SIDE_PX, zlib.compress(b"".join(rows)))


def truncated() -> bytes:
    """The first half of the sample."""
    whole = sample()
    return whole[: len(whole) // 2]


def bomb() -> bytes:
    """A PNG of some 200 bytes whose header says that it has 60000 times 60000 pixels."""
    return _png(HUGE_PX, HUGE_PX, zlib.compress(b"\0" * 100_000))


def lying_jpeg() -> bytes:
    """A JPEG of some 30 bytes whose header says that it has 60000 times 60000 pixels."""
    frame = struct.pack(">HBHHB", 11, 8, HUGE_PX, HUGE_PX, 1) + b"\x01\x11\x00"
    scan = struct.pack(">HB", 8, 1) + b"\x01\x00\x00\x3f\x00"
    return b"\xff\xd8" + b"\xff\xc0" + frame + b"\xff\xda" + scan + b"\0\xff\xd9"


def _png(width_px: int, height_px: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BAD_PICTURES = {
    "empty": b"",
    "text": b"This is no picture, whatever its name says.\n" * 20,
    "truncated": truncated(),
    "bomb": bomb(),
    "lying_jpeg": lying_jpeg(),
}
"""Each must be refused with status 400."""
