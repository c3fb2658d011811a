"""The harmonic mean of the last rates: what video players and DeepCOD take for the network's."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import MAX_S, duration, numbers, table, transfer, whole

__all__ = ["HarmonicLink"]

PRIOR_S_PER_BYTE = 1e-7
UNKNOWN_PART = 0.3
"""Standard deviation to believe before there are two rates, as a part of the prediction."""
MAX_LAST = 1_000


class HarmonicLink:
    """seconds = payload_bytes / harmonic mean of the last rates.

    The harmonic mean shrugs off single high rates (Jiang, Sekar and Zhang, FESTIVE, 2012; DeepCOD, section 4). One over
    it is the mean of seconds per byte, which is what is kept here, since it exists at a rate of nothing, too. There is
    no part that does not grow with the bytes: a round trip counts as more time per byte. Features: (payload_bytes,
    at_s); the time of day plays no part. A transfer of no bytes has no rate and teaches nothing.

    Args:
        last: how many rates are kept.

    """

    __slots__ = ("last", "s_per_byte_")

    def __init__(self, last: int = 10) -> None:
        self.last = whole(last, "last", minimum=1, maximum=MAX_LAST)
        self.s_per_byte_: deque[float] = deque(maxlen=last)

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds for (payload_bytes, at_s)."""
        payload_bytes, _ = features
        return payload_bytes * self._mean()

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds: of one rate, and of their mean."""
        payload_bytes, _ = features
        count, mean = len(self.s_per_byte_), self._mean()
        if count < 2:
            return UNKNOWN_PART * payload_bytes * mean
        squares = math.fsum((value - mean) * (value - mean) for value in self.s_per_byte_)
        return payload_bytes * math.sqrt(squares / (count - 1) * (1 + 1 / count))

    def learn_one(self, features: Sequence[float], transfer_s: float) -> HarmonicLink:
        """Take in one measured exchange of (payload_bytes, at_s). Raises InvalidValueError for absurd numbers."""
        payload_bytes, _ = transfer(features)
        measured_s = duration(transfer_s, "transfer_s")
        if payload_bytes > 0:
            self.s_per_byte_.append(measured_s / max(payload_bytes, 1.0))
        return self

    def clone(self) -> HarmonicLink:
        """The same arguments, nothing learned."""
        return HarmonicLink(self.last)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {"last": self.last, "s_per_byte": list(self.s_per_byte_)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> HarmonicLink:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        state = table(state, "link")
        link = cls(whole(state.get("last"), "last", minimum=1, maximum=MAX_LAST))
        kept = state.get("s_per_byte")
        if not isinstance(kept, list) or len(kept) > link.last:
            raise InvalidValueError(f"s_per_byte must be a list of at most {link.last}")
        link.s_per_byte_.extend(numbers(kept, len(kept), "s_per_byte", minimum=0.0, maximum=MAX_S))
        return link

    def _mean(self) -> float:
        if not self.s_per_byte_:
            return PRIOR_S_PER_BYTE
        return math.fsum(self.s_per_byte_) / len(self.s_per_byte_)
