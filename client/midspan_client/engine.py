"""What a device must be able to do with an image; a phone app brings its own runtime."""

from __future__ import annotations

import io
from typing import Any, Protocol

__all__ = ["Engine", "PillowEngine", "default_engine"]

_TAG_ORIENTATION = 0x0112


class Engine(Protocol):
    """Three methods. `image` is the engine's own kind of picture and opaque to the client.

    Called from several threads at the same time, each with pictures of its own.
    """

    def decode(self, data: bytes, at_least_px: int) -> Any:
        """An upright picture of an encoded one, its EXIF orientation applied, in RGB or gray.

        Values stay as they are stored: a colour profile is neither applied nor passed on, since the server looks at
        none either, and both must see the same. Asked only for pictures whose `Header` is simple. It may come at a
        reduced scale, but its shorter side must have `at_least_px` or its full size. Raises for damage.
        """

    def resize(self, image: Any, resize_px: int, side_px: int) -> Any:
        """Scale the shorter side to `resize_px` with an antialiased bicubic filter, then cut the middle square out."""

    def encode(self, image: Any, quality: int) -> bytes:
        """A baseline JPEG, without a profile or other metadata."""


class PillowEngine:
    """Pillow, where it is installed. Raises ModuleNotFoundError in the constructor if it is not."""

    def __init__(self) -> None:
        from PIL import Image

        self._image = Image
        turn = Image.Transpose
        self._turns = {
            2: turn.FLIP_LEFT_RIGHT,
            3: turn.ROTATE_180,
            4: turn.FLIP_TOP_BOTTOM,
            5: turn.TRANSPOSE,
            6: turn.ROTATE_270,
            7: turn.TRANSVERSE,
            8: turn.ROTATE_90,
        }
        # Pillow loads its codecs at first use; without this the first photo would pay for it and teach a wrong cost.
        self.encode(self.resize(self.decode(self.encode(Image.new("RGB", (16, 16)), 90), 8), 8, 8), 90)

    def decode(self, data: bytes, at_least_px: int) -> Any:
        """Scaled decoding where the format has it: a 12 megapixel JPEG in a quarter of the time."""
        image: Any = self._image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
        image.draft("RGB" if image.mode == "RGB" else None, (at_least_px, at_least_px))
        image.load()
        turn = self._turns.get(self._orientation(image.info.get("exif", b"")))
        image = image if turn is None else image.transpose(turn)
        return image if image.mode in ("RGB", "L") else image.convert("RGB")

    def _orientation(self, block: bytes) -> int:
        """What EXIF says, as the server reads it: Pillow's own `exif_transpose` also believes XMP and PNG's texts."""
        exif = self._image.Exif()
        try:
            exif.load(block)
            return int(exif.get(_TAG_ORIENTATION, 1))
        except Exception:  # damaged metadata is no reason to lose the picture, and Pillow raises many kinds
            return 1

    def resize(self, image: Any, resize_px: int, side_px: int) -> Any:
        """Only what the cut keeps is computed. Sides and corners are rounded as Midspan's server rounds them."""
        scale = resize_px / min(image.size)
        left, right = _span(image.width, round(image.width * scale), side_px)
        top, bottom = _span(image.height, round(image.height * scale), side_px)
        return image.resize((side_px, side_px), self._image.Resampling.BICUBIC, box=(left, top, right, bottom))

    def encode(self, image: Any, quality: int) -> bytes:
        """A baseline JPEG with 4:2:0 chroma."""
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def _span(length_px: int, resized_px: int, side_px: int) -> tuple[float, float]:
    """Where the middle `side_px` of a side resized to `resized_px` lie in the original side."""
    step = length_px / resized_px
    start = (resized_px - side_px) // 2
    return start * step, min((start + side_px) * step, length_px)


def default_engine() -> Engine | None:
    """Pillow's, or None where it is not installed."""
    try:
        return PillowEngine()
    except ImportError:
        return None
