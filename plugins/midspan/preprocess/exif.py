"""The one thing that preprocessing needs from EXIF: which way up the picture is. Source: EXIF 2.32, TIFF 6.0."""

from __future__ import annotations

import struct

__all__ = ["UPRIGHT", "orientation"]

UPRIGHT = 1
_TAG_ORIENTATION = 0x0112
_KINDS = {3: "H", 4: "I"}  # SHORT as the standard says; LONG as some cameras write
_MAX_BYTES = 65_536
"""As much as fits into the segment of a JPEG; the other formats set no limit."""
_MAX_ENTRIES = 512
"""Entries are sorted by tag, and fewer than thirty tags are smaller than the orientation's."""


def orientation(exif: bytes | memoryview) -> int:
    """EXIF's orientation, 1..8. A block that does not say, or is damaged, gives 1: no reason to refuse a picture."""
    data = bytes(exif[:_MAX_BYTES]).removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for index in range(min(count, _MAX_ENTRIES)):
            at = start + 2 + 12 * index
            tag, kind = struct.unpack_from(order + "HH", data, at)
            if tag == _TAG_ORIENTATION and kind in _KINDS:
                (value,) = struct.unpack_from(order + _KINDS[kind], data, at + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
