"""How long the network takes for so many bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.robust import RobustSeconds

__all__ = ["LinkModel"]

PRIOR_RTT_S = 0.01
PRIOR_S_PER_BYTE = 1e-7
NARROW = 0.25
"""Bounds that are no further apart than this part of the upper one count as a measurement."""
_UNIT_BYTES = 1e5
"""Bytes in one unit of the feature: keeps both features of the same order, so that the arithmetic stays exact."""


class LinkModel:
    """transfer_s(payload_bytes) = rtt_s + payload_bytes * s_per_byte, learned from measured exchanges.

    A network that nobody measured yet is taken for a good one (10 ms, 10 MB/s), so that it is tried. One wild exchange
    is passed over, two on the same side are a change of the network, followed at once. Predictions are never negative
    and never fall as the bytes grow. What to feed it: the time of an exchange less the server's own, on a connection
    that was open already.
    """

    __slots__ = ("model_",)

    def __init__(self, rtt_s: float = PRIOR_RTT_S, s_per_byte: float = PRIOR_S_PER_BYTE) -> None:
        self.model_ = RobustSeconds(
            (rtt_s, s_per_byte * _UNIT_BYTES), prior_weight=(0.001, 0.0005), typical_s=0.05, forgetting=0.9
        )

    @property
    def rtt_s(self) -> float:
        """Seconds that an exchange of no bytes takes."""
        return self.model_.linear_.weights_[0]

    @property
    def s_per_byte(self) -> float:
        """Seconds that one more byte takes; 1e-6 is 8 Mbit/s."""
        return self.model_.linear_.weights_[1] / _UNIT_BYTES

    def transfer_s(self, payload_bytes: float) -> float:
        """Predicted seconds on the network for so many bytes up (and a small answer down)."""
        rtt_s, unit_s = self.model_.linear_.weights_
        return rtt_s + payload_bytes / _UNIT_BYTES * unit_s

    def learn_one(self, payload_bytes: float, transfer_s: float) -> LinkModel:
        """Take in one measured exchange. Raises InvalidValueError for a negative or absurd number."""
        if not 0 <= payload_bytes < 1e12:
            raise InvalidValueError(f"payload_bytes must be between 0 and 1e12, got {payload_bytes!r}")
        self.model_.learn_one((1.0, payload_bytes / _UNIT_BYTES), transfer_s)
        return self

    def learn_between(self, payload_bytes: float, low_s: float, high_s: float) -> LinkModel:
        """Take in an exchange of which only bounds are known; `high_s` may be infinite.

        Bounds that are close teach their middle. Of wider ones, a prediction between them learns nothing, and one
        outside learns the nearer bound: the least that it must give way.
        """
        if high_s - low_s <= NARROW * high_s < math.inf:
            return self.learn_one(payload_bytes, (low_s + high_s) / 2)
        nearest_s = min(max(self.transfer_s(payload_bytes), low_s), high_s)
        return self if low_s < nearest_s < high_s else self.learn_one(payload_bytes, nearest_s)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return self.model_.to_dict()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LinkModel:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        model = RobustSeconds.from_dict(state)
        if len(model.linear_.weights_) != 2:
            raise InvalidValueError(f"a link has 2 weights, got {len(model.linear_.weights_)}")
        link = cls()
        link.model_ = model
        return link
