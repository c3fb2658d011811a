"""PieSlicer's model of the network: a line, and a correction for what the last transfers missed by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import duration, number, table, transfer
from midspan.estimate.retrained import RetrainedLinear

__all__ = ["DeltaLink"]

MAX_DELTA = 1e6
_UNIT_BYTES = 1e5
"""Bytes in one unit of the line's feature: the same order as seconds."""


class DeltaLink:
    """seconds = line(payload_bytes) + delta * payload_bytes.

    The line is a `RetrainedLinear`; delta, in seconds per byte, follows what it missed by (PieSlicer, section 5.2,
    "Adapting to network transfer time variations"):

        delta^i = (1 - alpha) delta^(i-1) + alpha (T^i - That^i) / size^i

    with T the measured seconds and That the line's. The paper adds delta to seconds as it is; being per byte, it is
    multiplied by the size here. Features: (payload_bytes, at_s); the time of day plays no part. A transfer of no bytes
    teaches the line and not delta.
    """

    __slots__ = ("alpha", "delta_", "line_")

    def __init__(self, alpha: float = 0.5) -> None:
        self.alpha = number(alpha, "alpha", minimum=0.0, maximum=1.0)
        self.line_ = RetrainedLinear(1)
        self.delta_ = 0.0

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds for (payload_bytes, at_s); never negative."""
        payload_bytes, _ = features
        return max(self.line_.predict_one((payload_bytes / _UNIT_BYTES,)) + self.delta_ * payload_bytes, 0.0)

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds: the line's."""
        payload_bytes, _ = features
        return self.line_.sd_one((payload_bytes / _UNIT_BYTES,))

    def learn_one(self, features: Sequence[float], transfer_s: float) -> DeltaLink:
        """Take in one measured exchange of (payload_bytes, at_s). Raises InvalidValueError for absurd numbers."""
        payload_bytes, _ = transfer(features)
        measured_s = duration(transfer_s, "transfer_s")
        x = (payload_bytes / _UNIT_BYTES,)
        missed_s = measured_s - self.line_.predict_one(x)
        self.line_.learn_one(x, measured_s)
        if payload_bytes > 0:
            moved = self.delta_ + self.alpha * (missed_s / payload_bytes - self.delta_)
            self.delta_ = min(max(moved, -MAX_DELTA), MAX_DELTA)
        return self

    def clone(self) -> DeltaLink:
        """The same arguments, nothing learned."""
        return DeltaLink(self.alpha)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {"alpha": self.alpha, "delta": self.delta_, "line": self.line_.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> DeltaLink:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        state = table(state, "link")
        link = cls(state.get("alpha", math.nan))
        link.delta_ = number(state.get("delta"), "delta", minimum=-MAX_DELTA, maximum=MAX_DELTA)
        link.line_ = RetrainedLinear.from_dict(state.get("line", {}))
        if link.line_.features != 1:
            raise InvalidValueError(f"a link's line has one feature, got {link.line_.features}")
        return link
