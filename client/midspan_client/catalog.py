"""What the server offers: variants, limits, parameters. A reader that forgives what it does not know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from midspan.wire import CATALOG_VERSION
from midspan_client.errors import ProtocolError

__all__ = ["Catalog", "VariantInfo", "parse_catalog"]

MAX_VARIANTS = 1000
MAX_NAME = 100
MAX_SIDE_PX = 16_384
MAX_BYTES = 2**40
MAX_MACS = 10**15
MAX_STAGE_S = 3600.0
_logger = logging.getLogger("midspan_client")


@dataclass(frozen=True, slots=True)
class VariantInfo:
    """One variant. Numbers are 0, texts are "" and `accuracy` is None where the server did not say."""

    name: str
    side_px: int = 0
    resize_px: int = 0
    interpolation: str = ""
    classes: int = 0
    macs: int = 0
    accuracy: float | None = None
    server_s: Mapping[str, float] = field(default_factory=dict)


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

    def only(self, variant: str) -> Catalog | None:
        """The same with that variant alone, or None if there is none of that name."""
        found = tuple(entry for entry in self.variants if entry.name == variant)
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
    variants = tuple(variant for variant in map(_variant, rows) if variant is not None)
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


def _variant(row: Any) -> VariantInfo | None:
    row = _table(row)
    name = _text(row.get("name"))
    if not name:
        return None
    side_px = _whole(row.get("side_px"), MAX_SIDE_PX, 0)
    resize_px = _whole(row.get("resize_px"), MAX_SIDE_PX, 0)
    known = 0 < side_px <= resize_px
    accuracy = row.get("accuracy")
    stages = {
        _text(stage): float(seconds)
        for stage, seconds in _table(row.get("server_s")).items()
        if _text(stage) and _is_number(seconds) and 0 <= seconds <= MAX_STAGE_S
    }
    return VariantInfo(
        name=name,
        side_px=side_px if known else 0,
        resize_px=resize_px if known else 0,
        interpolation=_text(row.get("interpolation")),
        classes=_whole(row.get("classes"), 2**31, 0),
        macs=_whole(row.get("macs"), MAX_MACS, 0),
        accuracy=float(accuracy) if _is_number(accuracy) and 0 <= accuracy <= 1 else None,
        server_s=stages,
    )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable() else ""


def _whole(value: Any, maximum: int, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= maximum else default


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
