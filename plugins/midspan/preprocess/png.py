"""Read a PNG's chunks and keep what decoding needs. Source: PNG specification, third edition.

::

    signature │ IHDR │ PLTE tRNS (kept) │ text, profiles, animation … (dropped) │ IDAT … (joined) │ IEND
"""

from __future__ import annotations

import zlib

from midspan.errors import BadPayloadError, PayloadTooLargeError
from midspan.preprocess import exif
from midspan.preprocess.picture import Picture

__all__ = ["SIGNATURE", "read"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 65_536
"""A PNG of 32 MiB in chunks of 8 KiB, which many encoders write, has 4096."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


def read(payload: bytes) -> Picture:
    """Every chunk's frame and the critical ones' checksums. Raises BadPayloadError, which says where it is damaged."""
    view = memoryview(payload)
    kept: list[memoryview | bytes] = [view[: len(SIGNATURE)]]
    coded: list[memoryview] = []
    size_px = (0, 0)
    orientation = exif.UPRIGHT
    position = len(SIGNATURE)
    for index in range(MAX_CHUNKS):
        kind, end = _chunk(payload, position)
        body = view[position + 8 : end - 4]
        if (index == 0) != (kind == b"IHDR"):
            raise BadPayloadError("the PNG's header must come first and once")
        if kind == b"IHDR":
            size_px = _header(body)
        if kind in (b"IHDR", b"PLTE", b"tRNS") and not coded:
            kept.append(view[position:end])
        elif kind == b"IDAT":
            coded.append(body)
        elif kind == b"eXIf":
            orientation = exif.orientation(body)
        elif kind == b"IEND":
            return Picture("PNG", *size_px, orientation, (*kept, *_joined(coded), _END))
        position = end
    raise PayloadTooLargeError(f"the PNG has more than {MAX_CHUNKS} chunks; no more are allowed")


def _chunk(payload: bytes, position: int) -> tuple[bytes, int]:
    end = position + 12 + int.from_bytes(payload[position : position + 4], "big")
    if end > len(payload):
        raise BadPayloadError(f"the PNG is truncated: its {len(payload)} bytes stop before the end chunk")
    kind = payload[position + 4 : position + 8]
    critical = not kind[0] & 0x20
    if critical and zlib.crc32(memoryview(payload)[position + 4 : end - 4]) != int.from_bytes(
        payload[end - 4 : end], "big"
    ):
        raise BadPayloadError(f"the PNG's chunk at byte {position} is damaged: its checksum is wrong")
    return kind, end


def _header(body: memoryview) -> tuple[int, int]:
    if len(body) != 13 or body[8] not in _DEPTHS.get(body[9], ()) or body[10] or body[11] or body[12] > 1:
        raise BadPayloadError(f"the PNG's header is not valid: {bytes(body[:13]).hex(' ')}")
    return int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")


def _joined(coded: list[memoryview]) -> tuple[bytes, ...]:
    """The picture's data as one chunk, less its last byte.

    Pillow leaves rows black where the data end before the last of them, and does not tell. Without the last byte of the
    checksum that ends them zlib does not report an end, so Pillow asks for more, finds none, and says that the file is
    truncated. The checksum's other bytes stay: Pillow asks too early where zlib has nothing left to read.
    """
    data = b"".join(coded)[:-1]
    if not data:
        raise BadPayloadError("the PNG has no picture data")
    # Each chunk's own checksum was right; Pillow skips that of picture data, so the joined chunk gets none.
    return len(data).to_bytes(4, "big") + b"IDAT", data, bytes(4)
