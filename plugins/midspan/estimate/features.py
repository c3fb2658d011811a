"""What a duration depends on, as numbers."""

from __future__ import annotations

from typing import Final

__all__ = ["DECODE_MARGIN", "JPEG_SCALES", "decoded_megapixels", "jpeg_scale"]

DECODE_MARGIN: Final = 2
"""A JPEG is decoded at no less than this many times the size that resizing wants, on the device as on the server."""
JPEG_SCALES: Final = (8, 4, 2, 1)
"""What libjpeg can divide a picture's sides by while it decodes."""


def jpeg_scale(width_px: int, height_px: int, wanted_px: float) -> int:
    """The largest scale that leaves the shorter side at least `wanted_px`; 1 where it has fewer already."""
    shorter_px = min(width_px, height_px)
    for scale in JPEG_SCALES:
        if shorter_px >= scale * wanted_px:
            return scale
    return 1


def decoded_megapixels(width_px: int, height_px: int, resize_px: int, *, jpeg: bool) -> float:
    """10^6 pixels that come out of the decoder for a picture whose shorter side is resized to `resize_px`.

    Decoding and resizing follow these and not the pixels of the photo, as a JPEG is decoded at 1/1, 1/2, 1/4 or 1/8.
    """
    scale = jpeg_scale(width_px, height_px, DECODE_MARGIN * resize_px) if jpeg else 1
    return width_px * height_px / (scale * scale) / 1e6
