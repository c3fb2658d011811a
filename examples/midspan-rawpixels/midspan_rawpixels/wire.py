"""The bytes on the wire. Standard library only, so that a device needs nothing else.

::

    magic "MRPX" | version u8 | side_px u16 | length u32 | zlib stream | CRC-32 of all before it, u32

The stream holds side_px x side_px pixels of RGB, row by row; `length` counts its bytes. Numbers are big-endian.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from midspan.errors import BadPayloadError, PayloadTooLargeError

__all__ = ["CONTENT_TYPE", "MAX_SIDE_PX", "NAME", "VERSION", "Frame", "pack", "read"]

NAME = "rawpixels"
CONTENT_TYPE = "application/x-midspan-rawpixels"
VERSION = 1
MAX_SIDE_PX = 4096

_MAGIC = b"MRPX"
_HEADER = struct.Struct(">4sBHI")
_CHECKSUM = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Frame:
    """A square of RGB pixels whose container was checked; the pixels are still compressed."""

    side_px: int
    stream: bytes

    def pixels(self) -> bytes:
        """`side_px * side_px * 3` bytes, row by row. Never unpacks more than that. Raises BadPayloadError."""
        wanted = 3 * self.side_px**2
        unpacker = zlib.decompressobj()
        try:
            pixels = unpacker.decompress(self.stream, wanted + 1)  # one more shows a stream that goes on
        except zlib.error as error:
            raise BadPayloadError(f"rawpixels: the pixels cannot be unpacked: {error}") from error
        if len(pixels) != wanted or not unpacker.eof or unpacker.unused_data:
            raise BadPayloadError(f"rawpixels: the stream does not hold the {wanted} bytes that side_px says")
        return pixels


def pack(side_px: int, pixels: bytes, level: int = 6) -> bytes:
    """A payload of `side_px * side_px * 3` bytes of RGB. Raises BadPayloadError if that is not what `pixels` holds."""
    if not 1 <= side_px <= MAX_SIDE_PX or len(pixels) != 3 * side_px**2:
        raise BadPayloadError(f"rawpixels: {len(pixels)} bytes are no {side_px}x{side_px} pixels of RGB")
    stream = zlib.compress(pixels, level)
    body = _HEADER.pack(_MAGIC, VERSION, side_px, len(stream)) + stream
    return body + _CHECKSUM.pack(zlib.crc32(body))


def read(payload: bytes, max_side_px: int) -> Frame | None:
    """Check a payload's container; None where it is not of this format. Allocates no more than the payload itself.

    Raises BadPayloadError for a damaged payload, PayloadTooLargeError for one of a side above `max_side_px`.
    """
    if payload[: len(_MAGIC)] != _MAGIC:
        return None
    body_bytes = len(payload) - _CHECKSUM.size
    if body_bytes < _HEADER.size:
        raise BadPayloadError(f"rawpixels: {len(payload)} bytes are too few for a header and a checksum")
    _, version, side_px, length = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise BadPayloadError(f"rawpixels: version {version} is not known, only {VERSION}")
    if side_px < 1:
        raise BadPayloadError("rawpixels: side_px is 0")
    if side_px > max_side_px:
        raise PayloadTooLargeError(f"rawpixels: side_px is {side_px}; at most {max_side_px} is allowed")
    if length != body_bytes - _HEADER.size:
        raise BadPayloadError(f"rawpixels: says {length} bytes of pixels but has {body_bytes - _HEADER.size}")
    if _CHECKSUM.unpack_from(payload, body_bytes)[0] != zlib.crc32(memoryview(payload)[:body_bytes]):
        raise BadPayloadError("rawpixels: the checksum is wrong; the payload was damaged on its way")
    return Frame(side_px, payload[_HEADER.size : body_bytes])
