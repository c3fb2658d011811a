"""What a header reader finds out about a picture before a single pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A payload whose container was read and whose pixels were not.

    `format` is Pillow's name. `width_px` and `height_px` are those of the stored picture; `orientation` is EXIF's 1..8,
    which says how to turn it upright. `parts`, joined, are all that the decoder gets to see: metadata is left out, so
    no profile, comment or thumbnail can harm or delay it.
    """

    format: str
    width_px: int
    height_px: int
    orientation: int
    parts: tuple[memoryview | bytes, ...]

    @property
    def upright_size_px(self) -> tuple[int, int]:
        """Width and height of the picture as the eye sees it."""
        turned = self.orientation >= 5
        return (self.height_px, self.width_px) if turned else (self.width_px, self.height_px)
