"""The server half: hooks that turn a payload of ours into the tensor that enters a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from midspan.bundle import Variant
from midspan.config import bounded, read_table
from midspan.errors import BadPayloadError
from midspan.hookspecs import hookimpl
from midspan.types import Context, Decoded, Prepared, Request
from midspan_rawpixels import wire

__all__ = ["Options", "RawPixelsPlugin"]


@dataclass(frozen=True, slots=True)
class Options:
    """The table `plugins.rawpixels`. `max_side_px` bounds the square that a device may send."""

    max_side_px: int = bounded(1024, 1, wire.MAX_SIDE_PX)


class RawPixelsPlugin:
    """Reads what `midspan_rawpixels.device` sends. Keeps nothing between requests."""

    def __init__(self) -> None:
        self._options = Options()

    @hookimpl
    def midspan_configure(self, options: Mapping[str, Any], context: Context) -> None:
        """Take the options; `read_table` refuses unknown names, wrong types and values out of range."""
        self._options = read_table(Options, options, f"plugins.{wire.NAME}")

    @hookimpl
    def midspan_describe(self) -> Mapping[str, Any]:
        """Tell devices that this server reads our payloads, and its limit."""
        return {"version": wire.VERSION, "max_side_px": self._options.max_side_px}

    @hookimpl
    def midspan_decode(self, request: Request) -> Decoded | None:
        """Look at the header alone: no pixel is unpacked before the variant is known."""
        frame = wire.read(request.payload, self._options.max_side_px)
        if frame is not None:
            return Decoded(wire.NAME, frame)
        if request.content_type == wire.CONTENT_TYPE:
            raise BadPayloadError(f"rawpixels: the payload begins with {request.payload[:4]!r}, not with our magic")
        return None

    @hookimpl
    def midspan_prepare(self, decoded: Decoded, variant: Variant) -> Prepared | None:
        """Unpack and normalise; the device resized and cropped already."""
        if decoded.kind != wire.NAME:
            return None
        frame: wire.Frame = decoded.value
        wanted = variant.preprocessing
        if frame.side_px != wanted.side_px:
            raise BadPayloadError(f"rawpixels: side_px is {frame.side_px} but {variant.name!r} takes {wanted.side_px}")
        pixels = np.frombuffer(frame.pixels(), np.uint8).reshape(1, frame.side_px, frame.side_px, 3)
        scaled = (pixels - np.asarray(wanted.mean, np.float32)) / np.asarray(wanted.std, np.float32)
        return Prepared(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))
