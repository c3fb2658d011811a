"""Which part of the stored picture becomes the graph's input, so that nothing else is resized or turned."""

from __future__ import annotations

from typing import TypeAlias

from midspan.bundle import Preprocessing

__all__ = ["Box", "crop_box", "stored_box"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; fractions are parts of pixels."""

_MIRROR_X = {2, 3, 7, 8}
_MIRROR_Y = {3, 4, 6, 7}
_TURNED = {5, 6, 7, 8}


def crop_box(width_px: int, height_px: int, preprocessing: Preprocessing) -> Box:
    """The part of an upright picture that is left when it is resized and then cut out of the middle.

    The sides are rounded as the reference pipeline rounds them: the longer side to the nearest pixel, the cut's corner
    towards the top left.
    """
    side_px, scale = preprocessing.side_px, preprocessing.resize_px / min(width_px, height_px)
    left, right = _span(width_px, round(width_px * scale), side_px)
    top, bottom = _span(height_px, round(height_px * scale), side_px)
    return left, top, right, bottom


def _span(length_px: int, resized_px: int, side_px: int) -> tuple[float, float]:
    step = length_px / resized_px
    start = (resized_px - side_px) // 2
    return start * step, min((start + side_px) * step, length_px)


def stored_box(upright: Box, width_px: float, height_px: float, orientation: int) -> Box:
    """Where a part of the upright picture lies in the stored one, of `width_px` x `height_px`. Source: EXIF 2.32."""
    left, top, right, bottom = upright
    if orientation in _TURNED:
        left, top, right, bottom = top, left, bottom, right
    if orientation in _MIRROR_X:
        left, right = width_px - right, width_px - left
    if orientation in _MIRROR_Y:
        top, bottom = height_px - bottom, height_px - top
    return left, top, right, bottom
