"""A photo: its bytes, and what its header says, read when somebody asks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midspan_client.errors import UsageError

__all__ = ["Header", "Photo", "read_header"]

MAX_PHOTO_BYTES = 2**29
_MAX_JPEG_SEGMENTS = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes say. All zeros and "" for bytes that are no JPEG, PNG or WebP, or a damaged one.

    Attributes:
        content_type: "image/jpeg", "image/png", "image/webp" or "".
        width_px: as stored, before any rotation that EXIF asks for.
        height_px: the same.
        simple: gray or three colours of 8 bits, no transparency: what every image library reads alike.
        progressive: a JPEG of several passes, which takes a decoder several times as long.

    """

    content_type: str = ""
    width_px: int = 0
    height_px: int = 0
    simple: bool = False
    progressive: bool = False

    @property
    def kind(self) -> str:
        """What decoders take alike long for: "jpeg", "jpeg-progressive", "png", "webp" or ""."""
        return self.content_type.rpartition("/")[2] + ("-progressive" if self.progressive else "")


class Photo:
    """The bytes of an encoded image. Its header is read at first use, and reading it never raises."""

    __slots__ = ("_header", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._header: Header | None = None

    def __repr__(self) -> str:
        return f"Photo({len(self.data)} bytes)"

    @classmethod
    def of(cls, source: Any) -> Photo:
        """A photo of bytes, of a file, or the same if it is one. Raises UsageError."""
        if isinstance(source, Photo):
            return source
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
        elif isinstance(source, str | os.PathLike):
            data = _read(Path(source))
        else:
            raise UsageError(f"a photo must be bytes or a path, got {type(source).__name__}")
        if not data:
            raise UsageError("the photo is empty")
        if len(data) > MAX_PHOTO_BYTES:
            raise UsageError(f"the photo has {len(data)} bytes; at most {MAX_PHOTO_BYTES} are allowed")
        return cls(data)

    @property
    def header(self) -> Header:
        """What its first bytes say."""
        if self._header is None:
            self._header = read_header(self.data)
        return self._header

    @property
    def megabytes(self) -> float:
        """Its size in 10^6 bytes."""
        return len(self.data) / 1e6

    @property
    def megapixels(self) -> float:
        """10^6 pixels; 0 where the header does not say."""
        header = self.header
        return header.width_px * header.height_px / 1e6


def read_header(data: bytes) -> Header:
    """Type and dimensions, by the standard library alone. Never raises: damage gives an empty Header."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except IndexError:
        pass
    return Header()


def _jpeg(data: bytes) -> Header:
    """Walk the segments to the start of frame (ITU-T T.81, B.2.2)."""
    at = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        if data[at] != 0xFF:
            return Header()
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            simple, progressive = data[at + 4] == 8 and data[at + 9] in (1, 3), marker & 3 == 2
            return _checked("image/jpeg", width, height, simple, progressive)
        elif marker in (0xD8, 0xD9, 0xDA):
            return Header()
        else:
            at += 2 + (data[at + 2] << 8 | data[at + 3])
    return Header()


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        return Header()
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    # A tRNS chunk can make colour types 0 and 2 transparent; it stands before the first IDAT.
    transparent = b"tRNS" in data[33 : data.find(b"IDAT", 33)]
    return _checked("image/png", width, height, data[24] == 8 and data[25] in (0, 2) and not transparent)


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width = (data[27] << 8 | data[26]) & 0x3FFF
        return _checked("image/webp", width, (data[29] << 8 | data[28]) & 0x3FFF, True)
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        opaque = len(data) >= 25 and not bits >> 28 & 1
        return _checked("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, opaque)
    if kind == b"VP8X" and len(data) >= 30:
        width = int.from_bytes(data[24:27], "little") + 1
        plain = not data[20] & 0x12  # neither transparent nor animated
        return _checked("image/webp", width, int.from_bytes(data[27:30], "little") + 1, plain)
    return Header()


def _checked(content_type: str, width_px: int, height_px: int, simple: bool, progressive: bool = False) -> Header:
    return Header(content_type, width_px, height_px, simple, progressive) if width_px and height_px else Header()


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_PHOTO_BYTES:
            raise UsageError(f"{path} has {size} bytes; at most {MAX_PHOTO_BYTES} are allowed")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
