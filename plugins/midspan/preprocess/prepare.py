"""The whole way of one picture: decode, resize, crop, turn, normalise, in the order that takes the least work.

::

    parts ─ decode, scaled ─▶ pixels ─ turn upright ─ resize the kept box alone ─▶ side x side ─ normalise ─▶ tensor
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from midspan.bundle import Preprocessing
from midspan.estimate.features import DECODE_MARGIN, jpeg_scale
from midspan.preprocess.decode import decode
from midspan.preprocess.geometry import Box, crop_box, scaled_box, surroundings
from midspan.preprocess.picture import Picture

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["REDUCING_GAP", "normalise", "prepare"]

REDUCING_GAP = 3.0
"""Before resizing, pixels are averaged in whole blocks down to this many times the target size."""
_WIDEST_KERNEL = 3
"""Lanczos looks at three target pixels on each side; the others look at fewer."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def prepare(picture: Picture, preprocessing: Preprocessing, *, preprocessed: bool = False) -> FloatTensor:
    """The graph's input, of shape (1, 3, side_px, side_px), float32.

    With `preprocessed` the device has cropped already: the whole picture becomes the input. Raises BadPayloadError.
    """
    width_px, height_px = picture.upright_size_px
    if preprocessed:
        wanted_px, box = preprocessing.side_px, (0.0, 0.0, float(width_px), float(height_px))
    else:
        wanted_px, box = preprocessing.resize_px, crop_box(width_px, height_px, preprocessing)
    scale = 1
    if picture.format == "JPEG":
        scale = jpeg_scale(width_px, height_px, DECODE_MARGIN * wanted_px)
    image = decode(picture, scale)
    if picture.orientation in _TURNS:
        image = image.transpose(_TURNS[picture.orientation])
    box = scaled_box(box, width_px, height_px, picture.orientation, scale)
    return normalise(_resize(image, box, preprocessing), preprocessing)


def normalise(image: Image.Image, preprocessing: Preprocessing) -> FloatTensor:
    """(value - mean) / std per channel, from a picture in RGB or grey to shape (1, 3, height, width), float32."""
    tensor = np.empty((1, 3, image.height, image.width), np.float32)
    mean, std = (np.asarray(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    # Plane by plane: Pillow splits colours faster than numpy walks across them, and one pass converts and subtracts.
    for channel, plane in enumerate(image.split() if image.mode == "RGB" else (image, image, image)):
        np.subtract(np.asarray(plane), mean[channel], out=tensor[0, channel])
    tensor /= std.reshape(3, 1, 1)
    return tensor


def _resize(image: Image.Image, box: Box, preprocessing: Preprocessing) -> Image.Image:
    side_px = preprocessing.side_px
    method = Image.Resampling[preprocessing.interpolation.upper()]
    # Pillow picks the order of its two passes by the whole picture's sides; cut first, it picks the reference's order.
    step = max(box[2] - box[0], box[3] - box[1]) / side_px
    region = surroundings(box, *image.size, margin_px=_WIDEST_KERNEL * max(step, 1.0) + 1)
    left, top = region[:2]
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    gap = None if method is Image.Resampling.NEAREST else REDUCING_GAP
    return image.crop(region).resize((side_px, side_px), method, box=inner, reducing_gap=gap)
