"""What the server offers: variants, limits, parameters. A reader that forgives what it does not know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from midspan.wire import CATALOG_VERSION
from midspan_client.errors import ProtocolError
from midspan_client.servermodel import Complaints, ServerModel, parse_server_model

__all__ = ["QUALITY", "Catalog", "PreprocessedInfo", "VariantInfo", "parse_catalog"]

MAX_VARIANTS = 1000
MAX_NAME = 100
MAX_SIDE_PX = 16_384
MAX_BYTES = 2**40
MAX_MACS = 10**15
MAX_STAGE_S = 3600.0
MAX_PREPROCESSED = 16
MAX_IMAGES = 10**9
QUALITY = 90
"""JPEG quality of what the device encodes where the objective says nothing of accuracy: PieSlicer's, section 4.4."""
_logger = logging.getLogger("midspan_client")


@dataclass(frozen=True, slots=True)
class PreprocessedInfo:
    """What the server's people measured with pictures that a device resized to the variant's side.

    Attributes:
        quality: of the JPEG, 1 to 100.
        agreement: share of the photos that got the class that they get when sent as they are.
        top1: accuracy on photos whose class is known, or None where none was.
        top1_in_cloud: the same, of these photos sent as they are.
        bytes_mean: mean size of what was sent.
        images: how many photos.

    """

    quality: int
    agreement: float
    top1: float | None = None
    top1_in_cloud: float | None = None
    bytes_mean: float = 0.0
    images: int = 0


@dataclass(frozen=True, slots=True)
class VariantInfo:
    """One variant. Numbers are 0, texts are "" and `accuracy` is None where the server did not say.

    `preprocessed` has one entry for each JPEG quality that was measured and is open to choice.
    `server_model` is what the server has learned of its own time.
    """

    name: str
    side_px: int = 0
    resize_px: int = 0
    interpolation: str = ""
    classes: int = 0
    macs: int = 0
    accuracy: float | None = None
    server_s: Mapping[str, float] = field(default_factory=dict)
    preprocessed: tuple[PreprocessedInfo, ...] = ()
    server_model: ServerModel | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a server offers. `variants` has at least one entry; `default` is one of their names.

    `parameters` names what the server reads; None where it did not say. `plugins` is what its plug-ins say of
    themselves, unchecked. `max_payload_bytes` and `max_pixels` bound a photo; None where it did not say.
    """

    variants: tuple[VariantInfo, ...]
    default: str
    version: int = CATALOG_VERSION
    midspan: str = ""
    family: str = ""
    max_payload_bytes: int | None = None
    parameters: frozenset[str] | None = None
    max_pixels: int | None = None
    plugins: Mapping[str, Any] = field(default_factory=dict)

    def only(self, variant: str, quality: int | None = None) -> Catalog | None:
        """The same with that variant alone, or None if there is none of that name.

        With `quality`, what was measured at other JPEG qualities is left out: they are not open to choice.
        """
        found = tuple(entry for entry in self.variants if entry.name == variant)
        if quality is not None:
            found = tuple(
                replace(entry, preprocessed=tuple(row for row in entry.preprocessed if row.quality == quality))
                for entry in found
            )
        return replace(self, variants=found, default=variant) if found else None


def parse_catalog(report: Any) -> Catalog:
    """Read a catalog of this version, one behind or one ahead.

    Keys that it does not know are ignored, optional ones may be missing, absurd values are dropped. Raises
    ProtocolError where nothing usable is left.
    """
    if not isinstance(report, Mapping):
        raise ProtocolError(f"the catalog must be a JSON object, got {type(report).__name__}")
    version = _whole(report.get("catalog_version"), 2**31, CATALOG_VERSION)
    if abs(version - CATALOG_VERSION) > 1:
        raise ProtocolError(f"the catalog has version {version}; this client reads {CATALOG_VERSION}, give or take one")
    rows = report.get("variants")
    if not isinstance(rows, list) or len(rows) > MAX_VARIANTS:
        raise ProtocolError(f"the catalog must list its variants, at most {MAX_VARIANTS}")
    complaints = Complaints()
    read = (_variant(row, complaints) for row in rows)
    variants = tuple(variant for variant in read if variant is not None)
    if len(variants) < len(rows):
        _logger.warning("the catalog has %d variants that cannot be used", len(rows) - len(variants))
    if not variants:
        raise ProtocolError("the catalog has no variant that can be used")
    names = [variant.name for variant in variants]
    default = _text(report.get("default"))
    limits = _table(report.get("limits"))
    parameters = report.get("parameters")
    plugins = _table(report.get("plugins"))
    return Catalog(
        variants=variants,
        default=default if default in names else names[0],
        version=version,
        midspan=_text(report.get("midspan")),
        family=_text(report.get("family")),
        max_payload_bytes=_whole(limits.get("max_payload_bytes"), MAX_BYTES, 0) or None,
        parameters=frozenset(map(_text, parameters)) if isinstance(parameters, list) else None,
        max_pixels=_whole(_table(plugins.get("preprocess")).get("max_pixels"), MAX_BYTES, 0) or None,
        plugins=plugins,
    )


def _variant(row: Any, complaints: Complaints) -> VariantInfo | None:
    row = _table(row)
    name = _text(row.get("name"))
    if not name:
        return None
    side_px = _whole(row.get("side_px"), MAX_SIDE_PX, 0)
    resize_px = _whole(row.get("resize_px"), MAX_SIDE_PX, 0)
    known = 0 < side_px <= resize_px
    stages = {
        _text(stage): seconds
        for stage, value in _table(row.get("server_s")).items()
        if _text(stage) and (seconds := _number(value, MAX_STAGE_S)) is not None
    }
    return VariantInfo(
        name=name,
        side_px=side_px if known else 0,
        resize_px=resize_px if known else 0,
        interpolation=_text(row.get("interpolation")),
        classes=_whole(row.get("classes"), 2**31, 0),
        macs=_whole(row.get("macs"), MAX_MACS, 0),
        accuracy=_number(row.get("accuracy"), 1),
        server_s=stages,
        preprocessed=_preprocessed(row.get("preprocessed")),
        server_model=parse_server_model(row.get("server_model"), complaints),
    )


def _preprocessed(rows: Any) -> tuple[PreprocessedInfo, ...]:
    """The first row of each quality; rows that say no quality or no agreement are of no use."""
    found: dict[int, PreprocessedInfo] = {}
    for row in map(_table, rows[:MAX_PREPROCESSED] if isinstance(rows, list) else ()):
        quality, agreement = _whole(row.get("quality"), 100, 0), _number(row.get("agreement"), 1)
        if not quality or agreement is None:
            continue
        top1, in_cloud = _number(row.get("top1"), 1), _number(row.get("top1_in_cloud"), 1)
        known = top1 is not None and in_cloud is not None
        info = PreprocessedInfo(
            quality=quality,
            agreement=agreement,
            top1=top1 if known else None,
            top1_in_cloud=in_cloud if known else None,
            bytes_mean=_number(row.get("bytes_mean"), MAX_BYTES) or 0.0,
            images=_whole(row.get("images"), MAX_IMAGES, 0),
        )
        found.setdefault(quality, info)
    return tuple(found.values())


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable() else ""


def _whole(value: Any, maximum: int, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= maximum else default


def _number(value: Any, maximum: float) -> float | None:
    """Between 0 and the maximum, or None."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= maximum
    return float(value) if number else None
