"""Read a JPEG's headers and keep what decoding needs. Source: ITU-T T.81, annex B.

::

    SOI │ APPn COM … (dropped, but for JFIF and Adobe) │ DQT DHT DRI SOFn (kept) │ SOS, coded data … │ EOI
"""

from __future__ import annotations

import re
from itertools import islice

from midspan.errors import BadPayloadError, PayloadTooLargeError
from midspan.preprocess import exif
from midspan.preprocess.picture import Picture

__all__ = ["read"]

MAX_HEADERS = 4096
"""Segments before the first scan; an Ultra HDR photo with a large profile has fewer than a hundred."""
MAX_KEPT_BYTES = 256 * 1024
"""Tables and frame header; eight full Huffman tables and four quantisation tables have less than 3 KiB."""
MAX_SCANS = 100
"""Each scan of a progressive picture passes over all of its pixels; encoders write about ten."""

_EOI, _SOS = 0xD9, 0xDA
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1, 0xC9}, {0xC2, 0xCA}
_FRAMES = _SEQUENTIAL | _PROGRESSIVE  # lossless and hierarchical ones are not decoded
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # not the markers that stand alone: no segment follows them
_SCAN = re.compile(rb"\xff\xda")
_PREFETCH = b"\0" * 8


def read(payload: bytes) -> Picture:
    """Everything up to the first scan. Raises BadPayloadError, which says where the file is damaged."""
    view = memoryview(payload)
    kept: list[memoryview | bytes] = [view[:2]]
    frame: memoryview | None = None
    sequential = False
    orientation = exif.UPRIGHT
    position = 2
    for _ in range(MAX_HEADERS):
        marker, start, position = _segment(payload, position)
        body = view[start + 4 : position]
        if marker == _SOS:
            if frame is None:
                raise BadPayloadError("the JPEG has no frame header before its first scan")
            single = sequential and body[:1] == frame[5:6]  # as many components in the scan as in the frame
            parts = (*_capped(kept), *_scans(payload, start, single=single))
            height_px, width_px = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            return Picture("JPEG", width_px, height_px, orientation, parts)
        if marker in _FRAMES | _OTHER_FRAMES:
            frame, sequential = _frame(marker, body, frame), marker in _SEQUENTIAL
        elif marker == _APP1 and orientation == exif.UPRIGHT and payload.startswith(b"Exif\0\0", start + 4):
            orientation = exif.orientation(body)
        if marker in _FRAMES | _TABLES or _says_colours(payload, start):
            kept.append(view[start:position])
    raise PayloadTooLargeError(f"the JPEG has more than {MAX_HEADERS} headers; no more are allowed")


def _capped(kept: list[memoryview | bytes]) -> list[memoryview | bytes]:
    kept_bytes = sum(map(len, kept))
    if kept_bytes > MAX_KEPT_BYTES:
        raise PayloadTooLargeError(f"the JPEG's tables have {kept_bytes} bytes; at most {MAX_KEPT_BYTES} are allowed")
    return kept


def _says_colours(payload: bytes, start: int) -> bool:
    """JFIF and Adobe tell which colours the numbers mean."""
    kind = {_APP0: b"JFIF\0", _APP14: b"Adobe"}.get(payload[start + 1])
    return kind is not None and payload.startswith(kind, start + 4)


def _segment(payload: bytes, position: int) -> tuple[int, int, int]:
    """The next segment's marker, start and end; fill bytes and junk before it are skipped, as decoders do."""
    found = _MARKER.search(payload, position)
    if found is None:
        raise _truncated(payload)
    start, marker = found.start(), payload[found.start() + 1]
    if marker == _EOI:
        raise BadPayloadError(f"the JPEG ends at byte {start} without a picture")
    if start + 4 > len(payload):
        raise _truncated(payload)
    length = int.from_bytes(payload[start + 2 : start + 4], "big")
    if length < 2:
        raise BadPayloadError(f"the JPEG's segment at byte {start} states the impossible length {length}")
    if start + 2 + length > len(payload):
        raise _truncated(payload)
    return marker, start, start + 2 + length


def _frame(marker: int, body: memoryview, before: memoryview | None) -> memoryview:
    if before is not None:
        raise BadPayloadError("the JPEG has two frame headers")
    if marker in _OTHER_FRAMES:
        raise BadPayloadError(f"the JPEG is lossless or hierarchical (frame {marker - 0xC0}), which is not decoded")
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise BadPayloadError(f"the JPEG's frame header has {len(body)} bytes, which does not fit its components")
    if body[0] != 8 or body[5] not in (1, 3, 4):
        raise BadPayloadError(f"the JPEG has {body[5]} components of {body[0]} bits; 1, 3 or 4 of 8 bits are decoded")
    return body


def _scans(payload: bytes, start: int, *, single: bool) -> tuple[memoryview | bytes, ...]:
    """From the first scan to the end.

    Decoders fill in grey where the end marker comes before the last row, and Pillow does not tell. Without the marker
    they wait for more bytes instead, which Pillow reports. So a lone scan is passed without it, followed by as many
    zeros as libjpeg reads ahead, lest the very last rows wait for them too. With several scans that would wait forever.
    """
    end = payload.rfind(b"\xff\xd9", start)  # from the back: most files end with it, and libjpeg stops at the first
    if end < 0:
        raise _truncated(payload)
    if single:
        return memoryview(payload)[start:end], _PREFETCH
    if next(islice(_SCAN.finditer(payload, start, end), MAX_SCANS, None), None):
        raise PayloadTooLargeError(f"the JPEG has more than {MAX_SCANS} scans; at most {MAX_SCANS} are allowed")
    return (memoryview(payload)[start : end + 2],)


def _truncated(payload: bytes) -> BadPayloadError:
    return BadPayloadError(f"the JPEG is truncated: its {len(payload)} bytes stop before the end marker")
