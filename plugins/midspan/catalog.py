"""What a device needs to know to decide, and how the host is doing: the answers to the two control requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import midspan
from midspan import wire
from midspan.bundle import Family, Variant
from midspan.config import Config
from midspan.hoststore import HostStore
from midspan.servermodel.trainer import name_of
from midspan.types import Parameter

__all__ = ["build", "health"]


def build(
    config: Config,
    family: Family,
    store: HostStore,
    declared: Mapping[str, Parameter],
    plugins: Mapping[str, Any],
) -> dict[str, Any]:
    """The catalog as JSON. Readers ignore keys that they do not know; `catalog_version` changes when a meaning does."""
    means, models = store.means(), store.published()
    return {
        "catalog_version": wire.CATALOG_VERSION,
        "midspan": midspan.__version__,
        "family": family.name,
        "default": family.default,
        "variants": [_variant(variant, means, models.get(name_of(variant.name))) for variant in family.variants],
        "limits": {
            "max_payload_bytes": config.server.max_payload_bytes,
            "max_batch_size": config.server.max_batch_size,
        },
        "parameters": sorted(declared),
        "plugins": dict(plugins),
    }


def health(store: HostStore) -> dict[str, Any]:
    """Counts over all workers of the host: answers, and errors by code."""
    return {"status": "ok", "counts": store.counts()}


def _variant(variant: Variant, means: Mapping[str, float], model: Mapping[str, Any] | None) -> dict[str, Any]:
    stages = {stage: means.get(f"{variant.name}.{stage}_s") for stage in ("decode", "prepare", "run")}
    return {
        "name": variant.name,
        "side_px": variant.preprocessing.side_px,
        "resize_px": variant.preprocessing.resize_px,
        "interpolation": variant.preprocessing.interpolation,
        "classes": variant.classes,
        "macs": variant.macs,
        "accuracy": variant.accuracy.top1 if variant.accuracy else None,
        "preprocessed": [asdict(row) for row in variant.preprocessed],
        "server_s": {stage: mean for stage, mean in stages.items() if mean is not None},
        "server_model": model,
    }
