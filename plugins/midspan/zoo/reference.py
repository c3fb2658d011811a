"""The reference preprocessing: what every faster path must equal, in plain Pillow and numpy."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from midspan.bundle import Preprocessing
    from midspan.types import FloatTensor

__all__ = ["reference_tensor", "upright_rgb"]


def upright_rgb(image: Image.Image) -> Image.Image:
    """The picture as the eye sees it: turned as its EXIF says, in RGB, and on white where it is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips at 255 instead of scaling
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def reference_tensor(image_bytes: bytes, preprocessing: Preprocessing) -> FloatTensor:
    """Decode a picture and make the graph's input, of shape (1, 3, side_px, side_px), float32.

    Resize so that the shorter side has `resize_px` (the longer one is rounded), cut `side_px` x `side_px` out of the
    middle (rounded towards the top left), then (value - mean) / std. Trusts its input: raises what Pillow raises.
    """
    with Image.open(BytesIO(image_bytes)) as encoded:
        image = upright_rgb(encoded)
    side_px, scale = preprocessing.side_px, preprocessing.resize_px / min(image.size)
    width_px, height_px = (round(length_px * scale) for length_px in image.size)
    image = image.resize((width_px, height_px), Image.Resampling[preprocessing.interpolation.upper()])
    left_px, top_px = (width_px - side_px) // 2, (height_px - side_px) // 2
    image = image.crop((left_px, top_px, left_px + side_px, top_px + side_px))
    values = np.asarray(image, np.float32)
    values = (values - np.asarray(preprocessing.mean, np.float32)) / np.asarray(preprocessing.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])
