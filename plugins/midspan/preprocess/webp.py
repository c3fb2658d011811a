"""Read a WebP's canvas and orientation; libwebp checks the rest itself. Source: RFC 9649.

::

    RIFF size WEBP │ VP8 (lossy) or VP8L (lossless)
    RIFF size WEBP │ VP8X canvas │ ICCP ALPH VP8 VP8L ANIM ANMF EXIF XMP …
"""

from __future__ import annotations

from midspan.errors import BadPayloadError, PayloadTooLargeError
from midspan.preprocess import exif
from midspan.preprocess.picture import Picture

__all__ = ["read"]

MAX_CHUNKS = 4096
_FIRST = 12


def read(payload: bytes) -> Picture:
    """The canvas from the first chunk, the orientation from EXIF. Raises BadPayloadError."""
    end = 8 + int.from_bytes(payload[4:8], "little")
    if end > len(payload):
        raise BadPayloadError(f"the WebP is truncated: it has {len(payload)} bytes and states {end}")
    view = memoryview(payload)[:end]
    size_px = _canvas(bytes(view[_FIRST : _FIRST + 18]))
    orientation = exif.UPRIGHT
    position = _FIRST
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return Picture("WEBP", *size_px, orientation, (view,))
        length = int.from_bytes(view[position + 4 : position + 8], "little")
        if payload.startswith(b"EXIF", position):
            orientation = exif.orientation(view[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    raise PayloadTooLargeError(f"the WebP has more than {MAX_CHUNKS} chunks; no more are allowed")


def _canvas(head: bytes) -> tuple[int, int]:
    """Width and height from a first chunk's leading 18 bytes."""
    kind, body = head[:4], head[8:]
    if kind == b"VP8X" and len(body) == 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8 " and len(body) == 10 and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise BadPayloadError(f"the WebP's first chunk is not valid: {head.hex(' ')}")
