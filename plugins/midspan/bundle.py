"""A bundle: the directory that holds a family of models, described by `bundle.json`.

::

    bundle.json             what is in it (schema below, validated when it is read)
    labels.txt              one label a line, in the order of the scores
    lite0.onnx …            one ONNX graph per variant, dynamic batch, one input, one output of class scores
    probe.png               a small picture, with the scores that each variant must give for it

File names in `bundle.json` are plain names inside the directory; anything else is refused. Standard library only, so
that any tool can read a bundle.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from midspan.config import read_table
from midspan.errors import BundleError, ConfigError, UnknownVariantError

__all__ = [
    "BUNDLE_VERSION",
    "Accuracy",
    "Block",
    "Family",
    "PreprocessedAccuracy",
    "Preprocessing",
    "Variant",
    "check_preprocessing",
    "check_variant",
    "load",
    "save",
]

BUNDLE_VERSION = 1
MAX_BUNDLE_JSON_BYTES = 16 * 2**20
MAX_SIDE_PX = 4096
MAX_NAME_CHARS = 64
MAX_PREPROCESSED = 16
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From an upright RGB image to the graph's input of shape (1, 3, side_px, side_px), float32.

    Resize so that the shorter side has `resize_px`, cut `side_px` x `side_px` out of the middle, then
    (value - mean) / std per channel, with values in 0..255.
    """

    side_px: int
    resize_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"


@dataclass(frozen=True, slots=True)
class Block:
    """A run of nodes between two cuts. `tensor` is the one tensor that leaves it, `shape` without the batch."""

    name: str
    tensor: str
    shape: tuple[int, ...]
    weight_bytes: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 as a fraction, and where the number comes from."""

    top1: float
    dataset: str
    source: str


@dataclass(frozen=True, slots=True)
class PreprocessedAccuracy:
    """What it costs that the device resizes and encodes anew, measured on `images` photos at one JPEG quality.

    `agreement` is the share of photos that get the class that they get when sent as they are: the normalized accuracy
    of PieSlicer, section 4.4. `top1` and `top1_in_cloud` are fractions of the photos whose class is known, resized on
    the device and sent as they are; None where none is known. `bytes_mean` is the mean size of what was sent.
    """

    quality: int
    agreement: float
    bytes_mean: float
    images: int
    top1: float | None = None
    top1_in_cloud: float | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One model of the family at one input size. `macs` are its multiply-adds for one image."""

    name: str
    graph: str
    sha256: str
    input_name: str
    output_name: str
    classes: int
    preprocessing: Preprocessing
    blocks: tuple[Block, ...]
    macs: int
    graph_bytes: int
    accuracy: Accuracy | None = None
    probe_scores: tuple[float, ...] = ()
    preprocessed: tuple[PreprocessedAccuracy, ...] = ()
    path: Path = field(default=Path(), compare=False)

    @property
    def cuts(self) -> int:
        """Cut k lies after block k; `cuts` is the last one, the graph's end."""
        return len(self.blocks)


@dataclass(frozen=True, slots=True)
class Family:
    """Models that answer the same question. `variants` go from the fastest to the most accurate."""

    name: str
    default: str
    labels: tuple[str, ...]
    variants: tuple[Variant, ...]
    probe: bytes = b""

    def variant(self, name: str) -> Variant:
        """The variant of that name; raises UnknownVariantError, which says what there is."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise UnknownVariantError(f"no variant {name[:100]!r}; there are {', '.join(v.name for v in self.variants)}")


def load(directory: str | Path, *, verify: bool = False) -> Family:
    """Read and check a bundle. With `verify`, the graphs' SHA-256 too. Raises BundleError."""
    directory = Path(directory)
    try:
        text = _read(directory / "bundle.json", MAX_BUNDLE_JSON_BYTES)
        tables = json.loads(text)
        if not isinstance(tables, dict) or tables.pop("midspan_bundle", None) != BUNDLE_VERSION:
            raise BundleError(f"{directory / 'bundle.json'} is not a bundle of version {BUNDLE_VERSION}")
        labels = tuple(_read(_inside(directory, tables.pop("labels", "")), 2**24).decode("utf-8").splitlines())
        probe = _read(_inside(directory, tables.pop("probe", "")), 2**24)
        rows = tables.pop("variants", None)
        if not isinstance(rows, list):
            raise BundleError("variants must be a list")
        variants = tuple(_variant(directory, row, verify) for row in rows)
        family = read_table(Family, {**tables, "labels": labels, "variants": (), "probe": probe}, "")
        family = Family(family.name, family.default, labels, variants, probe)
        _check_family(family)
    except BundleError as error:
        raise BundleError(f"bundle {directory}: {error}") from error
    except (ConfigError, ValueError, OverflowError, RecursionError) as error:  # the last 3: json's
        raise BundleError(f"bundle {directory}: {error}") from error
    return family


def save(family: Family, directory: str | Path) -> None:
    """Write `bundle.json`, `labels.txt` and `probe.png`; the graphs are there already. `load` reads it back equal.

    A reader sees the old bundle or the new one. Raises BundleError for a family that `load` would refuse.
    """
    directory = Path(directory)
    _check_family(family)
    rows: list[dict[str, Any]] = []
    for variant in family.variants:
        row = asdict(variant)
        del row["path"]
        rows.append({key: value for key, value in row.items() if value is not None})
    tables = {
        "midspan_bundle": BUNDLE_VERSION,
        "name": family.name,
        "default": family.default,
        "labels": "labels.txt",
        "probe": "probe.png",
        "variants": rows,
    }
    _replace(directory / "labels.txt", "".join(f"{label}\n" for label in family.labels).encode())
    _replace(directory / "probe.png", family.probe)
    _replace(directory / "bundle.json", (json.dumps(tables, indent=1) + "\n").encode())


def _variant(directory: Path, row: Mapping[str, Any], verify: bool) -> Variant:
    if not isinstance(row, Mapping) or "path" in row:
        raise BundleError("each variant must be a table without a path")
    where = f"variant {str(row.get('name'))[:100]!r}"
    path = _inside(directory, row.get("graph", ""))
    variant = read_table(Variant, {**row, "path": str(path)}, where)
    if not path.is_file():
        raise BundleError(f"{where}: there is no file {path.name}")
    if path.stat().st_size != variant.graph_bytes:
        raise BundleError(f"{where}: {path.name} has {path.stat().st_size} bytes, not {variant.graph_bytes}")
    if verify and hashlib.sha256(path.read_bytes()).hexdigest() != variant.sha256:
        raise BundleError(f"{where}: {path.name} does not have the SHA-256 that bundle.json states")
    return variant


def _check_family(family: Family) -> None:
    for variant in family.variants:
        check_variant(variant, len(family.labels))
    names = [variant.name for variant in family.variants]
    if len(set(names)) != len(names):
        raise BundleError(f"two variants have the same name: {', '.join(names)[:200]}")
    if family.default not in names:
        raise BundleError(f"the default {family.default[:100]!r} is no variant; there are {', '.join(names)[:200]}")


def check_variant(variant: Variant, labels: int) -> None:
    """Whether a variant says what it must, for a family with that many labels; files are not looked at.

    Raises BundleError.
    """
    where = f"variant {variant.name[:100]!r}"
    if not NAME.fullmatch(variant.name) or len(variant.name) > MAX_NAME_CHARS:
        raise BundleError(f"{where}: a name needs letters, digits, '.', '_', '-', at most {MAX_NAME_CHARS}")
    if not SHA256.fullmatch(variant.sha256):
        raise BundleError(f"{where}: sha256 must be 64 hexadecimal digits, got {variant.sha256[:100]!r}")
    if variant.classes != labels:
        raise BundleError(f"{where}: has {variant.classes} classes but there are {labels} labels")
    if min(variant.macs, variant.graph_bytes) < 0:
        raise BundleError(f"{where}: macs and graph_bytes must not be below 0")
    if variant.accuracy and not 0 <= variant.accuracy.top1 <= 1:
        raise BundleError(f"{where}: accuracy.top1 must be between 0 and 1, got {variant.accuracy.top1}")
    if variant.probe_scores and len(variant.probe_scores) != variant.classes:
        raise BundleError(f"{where}: probe_scores needs {variant.classes} numbers, got {len(variant.probe_scores)}")
    if not all(map(math.isfinite, variant.probe_scores)):
        raise BundleError(f"{where}: probe_scores must be finite")
    check_preprocessing(variant.preprocessing, where)
    _check_preprocessed(variant.preprocessed, where)
    _check_blocks(variant, where)


def check_preprocessing(prep: Preprocessing, where: str) -> None:
    """Whether it can be done; `where` begins the error's text. Raises BundleError."""
    if not 1 <= prep.side_px <= prep.resize_px <= MAX_SIDE_PX:
        raise BundleError(f"{where}: needs 1 <= side_px <= resize_px <= {MAX_SIDE_PX}, got {prep}")
    if len(prep.mean) != 3 or len(prep.std) != 3 or not all(map(math.isfinite, (*prep.mean, *prep.std))):
        raise BundleError(f"{where}: mean and std need three finite numbers, got {prep.mean[:4]} and {prep.std[:4]}")
    if min(prep.std) <= 0:
        raise BundleError(f"{where}: std must be above 0, got {prep.std}")
    if prep.interpolation not in INTERPOLATIONS:
        raise BundleError(f"{where}: interpolation must be one of {', '.join(INTERPOLATIONS)}")


def _check_preprocessed(rows: Sequence[PreprocessedAccuracy], where: str) -> None:
    if len(rows) > MAX_PREPROCESSED or len({row.quality for row in rows}) != len(rows):
        raise BundleError(f"{where}: preprocessed needs one row for each quality, at most {MAX_PREPROCESSED}")
    for row in rows:
        if not 1 <= row.quality <= 100:
            raise BundleError(f"{where}: preprocessed quality must be between 1 and 100, got {row.quality}")
        if (row.top1 is None) != (row.top1_in_cloud is None):
            raise BundleError(f"{where}: preprocessed top1 and top1_in_cloud go together")
        if not all(0 <= share <= 1 for share in (row.agreement, row.top1 or 0.0, row.top1_in_cloud or 0.0)):
            raise BundleError(f"{where}: preprocessed agreement and top1 must be between 0 and 1, got {row}")
        if not (0 < row.bytes_mean < math.inf and row.images > 0):
            raise BundleError(f"{where}: preprocessed bytes_mean and images must be above 0, got {row}")


def _check_blocks(variant: Variant, where: str) -> None:
    if not variant.blocks:
        raise BundleError(f"{where}: needs at least one block")
    for block in variant.blocks:
        if min(block.shape, default=1) < 1 or block.weight_bytes < 0:
            raise BundleError(f"{where}: {block.name[:100]!r} needs sizes above 0 and weight_bytes of 0 or more")
    last = variant.blocks[-1]
    if (last.tensor, last.shape) != (variant.output_name, (variant.classes,)):
        raise BundleError(f"{where}: the last block must end at the output, with the shape ({variant.classes},)")


def _inside(directory: Path, name: Any) -> Path:
    if not isinstance(name, str) or not name or Path(name).name != name or name in (".", ".."):
        raise BundleError(f"{name!r} is not a plain file name inside the bundle")
    return directory / name


def _read(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise BundleError(f"{path.name} has {size} bytes; at most {limit} are allowed")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path.name}: {error.strerror}") from error


def _replace(path: Path, contents: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(contents)
    unfinished.replace(path)
