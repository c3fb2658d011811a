"""Labelled photos to try things on: those that foolbox brings, at several sizes, or a directory of one's own."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from midspan.errors import ConfigError

__all__ = ["LabelledPhoto", "at_several_sizes", "bundled_photos", "directory_photos"]

MAX_PHOTO_BYTES: Final = 64 << 20
MAX_LABELS_BYTES: Final = 16 << 20

SIDES_PX: Final = (160, None, 1024, 200, 3000)
"""Longer sides that copies get in turn: previews as messengers make them, the photo as it is, and a camera's."""
QUALITY: Final = 80


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """An encoded photo, and the index of the class that is on it."""

    name: str
    data: bytes
    class_index: int


def bundled_photos() -> list[LabelledPhoto]:
    """The 20 ImageNet photos in the package foolbox, found without importing it. Raises ConfigError without it.

    The label is the last number of a file's name: `imagenet_07_609.jpg` shows class 609.
    """
    spec = importlib.util.find_spec("foolbox")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "the demo's photos come with the package foolbox, which is not installed; or give --images DIR"
        )
    directory = Path(spec.submodule_search_locations[0]) / "data"
    paths = sorted(path for path in directory.glob("imagenet_*_*") if path.suffix in (".jpg", ".png"))
    if not paths:
        raise ConfigError(f"there are no photos in {directory}; give --images DIR")
    return [LabelledPhoto(path.name, _read(path), int(path.stem.rsplit("_", 1)[1])) for path in paths]


def directory_photos(directory: Path, limit: int) -> list[LabelledPhoto]:
    """The first `limit` photos that `labels.csv` in the directory names, as they are.

    Its columns are `file` and `class_index`; others are ignored. Raises ConfigError, which names the line, for a table
    without them, and for a photo that is outside the directory, too large or not there.
    """
    path = directory / "labels.csv"
    text = _read(path, MAX_LABELS_BYTES).decode("utf-8-sig", "replace")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    photos: list[LabelledPhoto] = []
    try:
        if not {"file", "class_index"} <= set(rows.fieldnames or ()):
            raise ConfigError(f"needs the columns file and class_index, got {str(rows.fieldnames)[:200]}")
        for row in rows:
            if len(photos) == limit:
                break
            photos.append(_photo(directory, row["file"], row["class_index"]))
    except (ConfigError, csv.Error) as error:
        raise ConfigError(f"{path}, line {max(rows.line_num, 1)}: {error}") from error
    if not photos:
        raise ConfigError(f"{path} names no photos")
    return photos


def at_several_sizes(photos: Sequence[LabelledPhoto], sides_px: Sequence[int | None] = SIDES_PX) -> list[LabelledPhoto]:
    """Copies whose longer sides are `sides_px` in turn, encoded anew as JPEG; None leaves a photo as it is.

    What is enlarged gains bytes but no detail: it stands for a camera's photo in size alone. Needs Pillow.
    """
    copies = zip(photos, (sides_px[i % len(sides_px)] for i in range(len(photos))), strict=True)
    return [photo if side_px is None else _scaled(photo, side_px) for photo, side_px in copies]


def _scaled(photo: LabelledPhoto, side_px: int) -> LabelledPhoto:
    from PIL import Image

    with Image.open(io.BytesIO(photo.data)) as image:
        scale = side_px / max(image.size)
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        copy = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=QUALITY)
    return LabelledPhoto(f"{photo.name}@{side_px}", buffer.getvalue(), photo.class_index)


def _photo(directory: Path, name: str | None, class_index: str | None) -> LabelledPhoto:
    if not name or Path(name).name != name or name in (".", ".."):
        raise ConfigError(f"{str(name)[:100]!r} is not a plain file name")
    if not class_index or not class_index.isascii() or not class_index.isdigit() or len(class_index) > 6:
        raise ConfigError(f"class_index must be a number from 0 to 999999, got {str(class_index)[:100]!r}")
    return LabelledPhoto(name, _read(directory / name), int(class_index))


def _read(path: Path, most_bytes: int = MAX_PHOTO_BYTES) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > most_bytes:
        raise ConfigError(f"{path} has more than the {most_bytes} bytes that are allowed")
    return data
