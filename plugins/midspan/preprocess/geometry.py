"""Which part of an upright picture becomes the graph's input, so that nothing else is resized."""

from __future__ import annotations

import math
from typing import TypeAlias

from midspan.bundle import Preprocessing

__all__ = ["Box", "crop_box", "scaled_box", "surroundings"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; fractions are parts of pixels."""

# Orientations whose upright picture starts where the stored one's rows or columns end. Source: EXIF 2.32, 4.6.5.
_STARTS_AT_RIGHT_EDGE = {2, 3, 6, 7}
_STARTS_AT_BOTTOM_EDGE = {3, 4, 7, 8}


def crop_box(width_px: int, height_px: int, preprocessing: Preprocessing) -> Box:
    """The part of an upright picture that is left when it is resized and then cut out of the middle.

    The sides are rounded as the reference pipeline rounds them: the longer side to the nearest pixel, the cut's corner
    towards the top left.
    """
    side_px, scale = preprocessing.side_px, preprocessing.resize_px / min(width_px, height_px)
    left, right = _span(width_px, round(width_px * scale), side_px)
    top, bottom = _span(height_px, round(height_px * scale), side_px)
    return left, top, right, bottom


def scaled_box(box: Box, width_px: int, height_px: int, orientation: int, scale: int) -> Box:
    """Where `box` of an upright picture lies in one whose sides were divided by `scale` while it was decoded.

    Decoders round the sides up, so the last pixel may stand for a part of one; turned upright, it may come first.
    """
    right_px, bottom_px = -width_px % scale / scale, -height_px % scale / scale
    x_px = right_px if orientation in _STARTS_AT_RIGHT_EDGE else 0.0
    y_px = bottom_px if orientation in _STARTS_AT_BOTTOM_EDGE else 0.0
    left, top, right, bottom = (length_px / scale for length_px in box)
    return left + x_px, top + y_px, right + x_px, bottom + y_px


def surroundings(box: Box, width_px: int, height_px: int, margin_px: float) -> tuple[int, int, int, int]:
    """Whole pixels around `box`, at least `margin_px` on each side as far as the picture reaches."""
    left, top, right, bottom = box
    return (
        max(math.floor(left - margin_px), 0),
        max(math.floor(top - margin_px), 0),
        min(math.ceil(right + margin_px), width_px),
        min(math.ceil(bottom + margin_px), height_px),
    )


def _span(length_px: int, resized_px: int, side_px: int) -> tuple[float, float]:
    step = length_px / resized_px
    start = (resized_px - side_px) // 2
    return start * step, min((start + side_px) * step, length_px)
