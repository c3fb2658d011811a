"""From an encoded picture to pixels in RGB or grey, no more of them than the resizing needs."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from midspan.errors import BadPayloadError
from midspan.preprocess.picture import Picture

__all__ = ["MAX_PIXELS", "decode"]

MAX_PIXELS = 89_478_485
"""What Pillow holds for a decompression bomb begins here; no option may go beyond it."""

# Made directly, because `Image.open` imports all of Pillow's forty formats at the first WebP.
_FILES: dict[str, Callable[[BytesIO], ImageFile]] = {"JPEG": JpegImageFile, "PNG": PngImageFile, "WEBP": WebPImageFile}


def decode(picture: Picture, scale: int = 1) -> Image.Image:
    """The stored picture's pixels in mode RGB or L, on white where it is transparent; the first frame of several.

    A JPEG's sides are divided by `scale` (1, 2, 4 or 8), rounded up. Raises BadPayloadError, also for a picture
    that ends early: half a picture is never returned.
    """
    try:
        image = _FILES[picture.format](BytesIO(b"".join(picture.parts)))
        if image.size != (picture.width_px, picture.height_px):
            raise BadPayloadError(f"the {picture.format}'s headers contradict each other about its size")
        if scale > 1:
            image.draft(None, (picture.width_px // scale, picture.height_px // scale))
        image.load()
        return _flat(image)
    except (BadPayloadError, MemoryError):
        raise
    except Exception as error:  # a decoder can raise anything on bytes made to hurt it
        raise BadPayloadError(f"the {picture.format} cannot be decoded: {error}"[:300]) from error


def _flat(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # I;16, or I in earlier Pillows
        # The high byte, as Pillow takes it for colours of 16 bits; its own conversion would clip at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode in ("RGB", "L") else image.convert("L" if image.mode == "1" else "RGB")
