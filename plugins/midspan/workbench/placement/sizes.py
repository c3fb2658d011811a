"""The photos of a simulation: how many bytes and pixels they have, and how many bytes they have once resized."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from midspan.errors import ConfigError
from midspan.estimate.features import DECODE_MARGIN
from midspan.workbench.photos import find_photos
from midspan.workbench.placement.cells import Coefficients
from midspan.workbench.placement.files import read_text, whole
from midspan.workbench.placement.request import PhotoSize
from midspan_client.engine import Engine
from midspan_client.photo import read_header

__all__ = ["SizedPhoto", "in_order", "read_sizes"]

COLUMNS: Final = ("bytes", "width", "height")
SENT: Final = "sent_bytes"
MAX_ROWS: Final = 100_000
MAX_PHOTOS: Final = 20_000
MAX_PHOTO_BYTES: Final = 64 << 20
MAX_SIDE_PX: Final = 65_535
MAX_PIXELS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class SizedPhoto:
    """A photo's size, and how many bytes it has once preprocessed on the device; None where nobody measured that."""

    size: PhotoSize
    sent_bytes: int | None


def read_sizes(
    path: Path, coefficients: Coefficients, most: int, report: Callable[[int], None] = lambda done: None
) -> list[SizedPhoto]:
    """The sizes of a CSV file with the columns bytes,width,height and perhaps sent_bytes, or of a folder of photos.

    Of a folder, the first `most` photos are really decoded, resized to the target side and encoded, to learn their
    sent size; `report` is told how many are done. Raises ConfigError, which names the line or the file.
    """
    if not path.is_dir():
        return _table(path)
    from midspan_client.engine import PillowEngine

    engine, found = PillowEngine(), find_photos(path, min(most, MAX_PHOTOS))
    photos = []
    for photo in found:
        photos.append(_measured(photo.path, photo.read(), engine, coefficients))
        report(len(photos))
    return photos


def in_order(photos: Sequence[SizedPhoto], requests: int, seed: int) -> list[SizedPhoto]:
    """So many photos: the first ones as they come; where there are too few, all of them again, shuffled each time."""
    taken = list(photos[:requests])
    rng = random.Random(seed)  # noqa: S311 - an order that can be repeated, no secret
    while len(taken) < requests:
        taken += rng.sample(photos, min(len(photos), requests - len(taken)))
    return taken


def _table(path: Path) -> list[SizedPhoto]:
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    photos: list[SizedPhoto] = []
    try:
        rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
        if not set(COLUMNS) <= set(rows.fieldnames):
            raise ConfigError(f"needs the columns {','.join(COLUMNS)}, got {str(rows.fieldnames)[:200]}")
        for row in rows:
            if len(photos) >= MAX_ROWS:
                raise ConfigError(f"a table of sizes may have at most {MAX_ROWS} rows")
            photos.append(_row(row))
    except (ConfigError, csv.Error) as error:
        raise ConfigError(f"{path}, line {max(rows.line_num, 1)}: {error}") from error
    if not photos:
        raise ConfigError(f"{path} has no rows")
    return photos


def _row(row: dict[str, str]) -> SizedPhoto:
    size = PhotoSize(
        whole(row["bytes"], "bytes", MAX_PHOTO_BYTES),
        whole(row["width"], "width", MAX_SIDE_PX),
        whole(row["height"], "height", MAX_SIDE_PX),
    )
    return SizedPhoto(size, whole(row[SENT], SENT, MAX_PHOTO_BYTES) if row.get(SENT) else None)


def _measured(path: Path, data: bytes, engine: Engine, coefficients: Coefficients) -> SizedPhoto:
    header, side_px = read_header(data), coefficients.constants.target_side_px
    if not 0 < header.width_px * header.height_px <= MAX_PIXELS:
        raise ConfigError(f"{path} is no JPEG, PNG or WebP of at most {MAX_PIXELS} pixels")
    try:
        image = engine.decode(data, DECODE_MARGIN * side_px)
        sent = engine.encode(engine.resize(image, side_px, side_px), coefficients.jpeg_quality)
    except Exception as error:  # Pillow raises many kinds over a damaged file
        raise ConfigError(f"{path} cannot be resized: {type(error).__name__}: {error}"[:500]) from error
    return SizedPhoto(PhotoSize(len(data), header.width_px, header.height_px), len(sent))
