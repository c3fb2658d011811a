"""The report that rides on every answer; `midspan.wire` tells what its keys mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from midspan import wire
from midspan.errors import InternalError
from midspan.types import Record

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["build", "encode", "top"]


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
        _check_finite(report["scores"])
    return report


def encode(value: Any) -> bytes:
    """JSON. Raises InternalError for what JSON cannot say, such as another library's numbers."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise InternalError(f"what should be sent is not JSON: {error}") from error


def top(scores: FloatTensor, count: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The `count` most likely classes, best first; of equals, the one with the lower index first.

    Raises InternalError for scores that are not finite: NaN sorts above all numbers, so it cannot hide behind the best.
    """
    # Few and plain calls: right after a graph has run, all code comes out of memory, and clever indexing takes 0.1 ms.
    best = scores.argpartition(-count)[-count:].tolist() if count < len(scores) else list(range(len(scores)))
    best.sort()
    best.sort(key=scores.item, reverse=True)
    rows = [{"index": index, "label": labels[index], "score": scores.item(index)} for index in best]
    _check_finite(scores.item(index) for index in best)
    return rows


def _check_finite(scores: Iterable[float]) -> None:
    for score in scores:
        if not math.isfinite(score):
            raise InternalError(f"the graph gave the score {score}")
