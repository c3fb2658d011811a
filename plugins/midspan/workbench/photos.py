"""Labelled photos to try things on: those that foolbox brings, at several sizes, or a directory of one's own."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from midspan.errors import ConfigError

__all__ = ["LabelledPhoto", "PhotoFile", "at_several_sizes", "bundled_photos", "directory_photos", "find_photos"]

T = TypeVar("T")

MAX_PHOTO_BYTES: Final = 64 << 20
MAX_LABELS_BYTES: Final = 16 << 20

SIDES_PX: Final = (160, None, 1024, 200, 3000)
"""Longer sides that copies get in turn: previews as messengers make them, the photo as it is, and a camera's."""
QUALITY: Final = 80
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_NAMED: Final = re.compile(r"imagenet_\d+_(\d{1,6})")
"""How foolbox names its photos: `imagenet_07_609.jpg` shows class 609."""


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """An encoded photo, and the index of the class that is on it."""

    name: str
    data: bytes
    class_index: int


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo that is not read yet; `class_index` is None where nobody says what is on it."""

    path: Path
    class_index: int | None

    def read(self) -> bytes:
        """Its bytes. Raises ConfigError where it cannot be read or is too large."""
        return _read(self.path)


def bundled_photos() -> list[LabelledPhoto]:
    """The 20 ImageNet photos in the package foolbox, found without importing it. Raises ConfigError without it.

    The label is in the file's name.
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


def find_photos(directory: Path, limit: int | None = None) -> list[PhotoFile]:
    """The first `limit` photos in a directory, or all, without reading them.

    Those that `labels.csv` names, as in `directory_photos`, where it is there. Else all JPEG, PNG and WebP files in
    the order of their names; those that are named as foolbox's are have a class. Raises ConfigError where there is no
    photo.
    """
    if (directory / "labels.csv").exists():
        return _labelled(directory, limit, PhotoFile)
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise ConfigError(f"cannot read {directory}: {error.strerror}") from error
    if not paths:
        raise ConfigError(f"there are no photos in {directory}: no labels.csv, and no {', '.join(sorted(SUFFIXES))}")
    return [
        PhotoFile(path, int(named[1]) if (named := _NAMED.fullmatch(path.stem)) else None) for path in paths[:limit]
    ]


def directory_photos(directory: Path, limit: int) -> list[LabelledPhoto]:
    """The first `limit` photos that `labels.csv` in the directory names, as they are.

    Its columns are `file` and `class_index`; others are ignored. Raises ConfigError, which names the line, for a table
    without them, and for a photo that is outside the directory, too large or not there.
    """
    return _labelled(directory, limit, lambda path, index: LabelledPhoto(path.name, _read(path), index))


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


def _labelled(directory: Path, limit: int | None, make: Callable[[Path, int], T]) -> list[T]:
    """What `make` gives for each row of `labels.csv`; its ConfigErrors get the line's number, too."""
    path = directory / "labels.csv"
    text = _read(path, MAX_LABELS_BYTES).decode("utf-8-sig", "replace")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    photos: list[T] = []
    try:
        if not {"file", "class_index"} <= set(rows.fieldnames or ()):
            raise ConfigError(f"needs the columns file and class_index, got {str(rows.fieldnames)[:200]}")
        for row in rows:
            if len(photos) == limit:
                break
            photos.append(make(directory / _plain_name(row["file"]), _class_index(row["class_index"])))
    except (ConfigError, csv.Error) as error:
        raise ConfigError(f"{path}, line {max(rows.line_num, 1)}: {error}") from error
    if not photos:
        raise ConfigError(f"{path} names no photos")
    return photos


def _plain_name(name: str | None) -> str:
    if not name or Path(name).name != name or name in (".", ".."):
        raise ConfigError(f"{str(name)[:100]!r} is not a plain file name")
    return name


def _class_index(text: str | None) -> int:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ConfigError(f"class_index must be a number from 0 to 999999, got {str(text)[:100]!r}")
    return int(text)


def _read(path: Path, most_bytes: int = MAX_PHOTO_BYTES) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > most_bytes:
        raise ConfigError(f"{path} has more than the {most_bytes} bytes that are allowed")
    return data
