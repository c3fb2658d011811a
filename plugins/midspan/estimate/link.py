"""How long the network takes for so many bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import transfer
from midspan.estimate.robust import RobustSeconds

__all__ = ["LinkForecast", "LinkModel"]

PRIOR_RTT_S = 0.01
PRIOR_S_PER_BYTE = 1e-7
PRIOR_WEIGHT = (2.5e-5, 1.25e-5)
NARROW = 0.25
"""Bounds that are no further apart than this part of the upper one count as a measurement."""
_UNIT_BYTES = 1e5
"""Bytes in one unit of the feature: keeps both features of the same order, so that the arithmetic stays exact."""


@dataclass(frozen=True, slots=True)
class LinkForecast:
    """A network as it is expected to be at one moment: transfer_s(payload_bytes) = rtt_s + payload_bytes * s_per_byte.

    Attributes:
        rtt_s: seconds that an exchange of no bytes takes.
        s_per_byte: seconds that one more byte takes; 1e-6 is 8 Mbit/s.
        relative_sd: standard deviation of the error to expect, as a part of the transfer's time.

    """

    rtt_s: float
    s_per_byte: float
    relative_sd: float

    def transfer_s(self, payload_bytes: float) -> float:
        """Predicted seconds on the network for so many bytes up (and a small answer down)."""
        return self.rtt_s + payload_bytes * self.s_per_byte

    def sd_s(self, payload_bytes: float) -> float:
        """Standard deviation of that prediction's error."""
        return self.relative_sd * self.transfer_s(payload_bytes)


class LinkModel:
    """transfer_s = (rtt_s + payload_bytes * s_per_byte) * exp(deviation), learned from measured exchanges.

    A `RobustSeconds` of the bytes. A network that nobody measured yet is taken for a good one (10 ms, 10 MB/s), so that
    it is tried. What to feed it: the time of an exchange less the server's own, on a connection that was open already.
    Features of the contract: (payload_bytes, at_s), the time in seconds on one clock.
    """

    __slots__ = ("model_",)

    def __init__(self, rtt_s: float = PRIOR_RTT_S, s_per_byte: float = PRIOR_S_PER_BYTE) -> None:
        prior = (rtt_s, s_per_byte * _UNIT_BYTES)
        self.model_ = RobustSeconds(prior, PRIOR_WEIGHT, typical_s=0.05, forgetting=0.995)

    def forecast(self, at_s: float) -> LinkForecast:
        """The network as it is expected to be at `at_s`."""
        rtt_s, unit_s = self.model_.weights(at_s)
        return LinkForecast(rtt_s, unit_s / _UNIT_BYTES, self.model_.relative_sd)

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds for (payload_bytes, at_s)."""
        payload_bytes, at_s = features
        return self.model_.predict_one((1.0, payload_bytes / _UNIT_BYTES), at_s)

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds."""
        payload_bytes, at_s = features
        return self.model_.sd_one((1.0, payload_bytes / _UNIT_BYTES), at_s)

    def learn_one(self, features: Sequence[float], transfer_s: float) -> LinkModel:
        """Take in one measured exchange of (payload_bytes, at_s). Raises InvalidValueError for absurd numbers."""
        payload_bytes, at_s = transfer(features)
        self.model_.learn_one((1.0, payload_bytes / _UNIT_BYTES), transfer_s, at_s)
        return self

    def learn_between(self, features: Sequence[float], low_s: float, high_s: float) -> LinkModel:
        """Take in an exchange of (payload_bytes, at_s) of which only bounds are known; `high_s` may be infinite.

        Bounds that are close teach their middle. Of wider ones, a prediction between them learns nothing, and one
        outside learns the nearer bound: the least that it must give way.
        """
        if high_s - low_s <= NARROW * high_s < math.inf:
            return self.learn_one(features, (low_s + high_s) / 2)
        nearest_s = min(max(self.predict_one(features), low_s), high_s)
        return self if low_s < nearest_s < high_s else self.learn_one(features, nearest_s)

    def clone(self) -> LinkModel:
        """The same prior, nothing learned."""
        link = LinkModel()
        link.model_ = self.model_.clone()
        return link

    def to_dict(self) -> dict[str, Any]:
        """Everything but the deviation of the moment, as JSON."""
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
