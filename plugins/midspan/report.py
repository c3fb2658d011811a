"""The report that rides on every answer; `midspan.wire` tells what its keys mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from midspan import wire
from midspan.types import Record

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["build", "top"]


def build(record: Record, scores: FloatTensor, labels: Sequence[str], queue_max_s: float) -> dict[str, Any]:
    """The report of one answered request as JSON. `scores` has shape (classes,)."""
    parameters = record.request.parameters
    report: dict[str, Any] = {
        "predictions": top(scores, parameters[wire.PARAMETER_TOP_K], labels),
        "variant": record.variant,
        "cut": record.cut,
        "batch_size": record.batch_size,
        "server_s": record.server_s,
        "stages_s": record.stages_s,
        "queue_max_s": queue_max_s,
    }
    if parameters[wire.PARAMETER_ID]:
        report["id"] = parameters[wire.PARAMETER_ID]
    if parameters[wire.PARAMETER_SCORES]:
        report["scores"] = scores.tolist()
    return report


def top(scores: FloatTensor, count: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The `count` most likely classes, best first; of equals, the one with the lower index first."""
    # Partitioning finds the best without sorting all; with as many as there are, there is nothing to find.
    best = scores.argpartition(-count)[-count:] if count < len(scores) else range(len(scores))
    ranked = sorted(zip((-scores[best]).tolist(), list(map(int, best)), strict=True))
    return [{"index": index, "label": labels[index], "score": -negated} for negated, index in ranked]
