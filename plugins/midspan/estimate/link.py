"""How long the network takes for so many bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.drift import Drift
from midspan.estimate.linear import OnlineLinear

__all__ = ["LinkForecast", "LinkModel"]

PRIOR_RTT_S = 0.01
PRIOR_S_PER_BYTE = 1e-7
NARROW = 0.25
"""Bounds that are no further apart than this part of the upper one count as a measurement."""
SETTLED = 4
"""Exchanges before a deviation can be told from the usual."""
GATE = 3.0
"""A surprise beyond this many usual ones moves the usual level no further: the drift follows it, if it lasts."""
LEAST_SPREAD = 0.05
LASTING = 0.5
"""Share of a lasting deviation that is taken for the new usual level."""
FLOOR_S = 1e-4
"""Shorter transfers are noise: a relative error of them says nothing."""
MAX_BYTES = 1e12
MAX_S = 1e6
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

    ::

        measured / usual ──► Drift: deviation now, from exchanges of the last seconds to hour
              │                 │
              └── without it ◄──┘
                     │
                     ▼
        OnlineLinear: the usual rtt_s and s_per_byte, in relative errors

    The usual line learns from measurements that the expected deviation was taken out of, so that a bad minute does not
    spoil it (Cochrane and Orcutt, 1949, for errors that are correlated in time). A network that nobody measured yet is
    taken for a good one (10 ms, 10 MB/s), so that it is tried. Predictions are never negative and never fall as the
    bytes grow. What to feed it: the time of an exchange less the server's own, on a connection that was open already.
    Features of the contract: (payload_bytes, at_s).
    """

    __slots__ = ("drift_", "linear_", "spread_")

    def __init__(self, rtt_s: float = PRIOR_RTT_S, s_per_byte: float = PRIOR_S_PER_BYTE) -> None:
        prior = (rtt_s, s_per_byte * _UNIT_BYTES)
        self.linear_ = OnlineLinear(prior, (0.01, 0.005), forgetting=0.995, nonnegative=True, noise=0.09)
        self.drift_ = Drift()
        self.spread_ = 0.3

    def forecast(self, at_s: float) -> LinkForecast:
        """The network as it is expected to be at `at_s`, seconds on the clock of `learn_one`."""
        rtt_s, unit_s = self.linear_.weights_
        factor = math.exp(self.drift_.level(at_s).now)
        # Normal errors are 1.25 times as large in the root of the mean square as in the mean.
        return LinkForecast(rtt_s * factor, unit_s / _UNIT_BYTES * factor, 1.25 * self.spread_)

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds for (payload_bytes, at_s)."""
        payload_bytes, at_s = features
        return self.forecast(at_s).transfer_s(payload_bytes)

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds."""
        payload_bytes, at_s = features
        return self.forecast(at_s).sd_s(payload_bytes)

    def learn_one(self, features: Sequence[float], transfer_s: float) -> LinkModel:
        """Take in one measured exchange of (payload_bytes, at_s). Raises InvalidValueError for absurd numbers."""
        payload_bytes, at_s = features
        if not 0 <= payload_bytes < MAX_BYTES:
            raise InvalidValueError(f"payload_bytes must be between 0 and {MAX_BYTES:g}, got {payload_bytes!r}")
        if not 0 <= transfer_s < MAX_S:
            raise InvalidValueError(f"transfer_s must be between 0 and {MAX_S:g}, got {transfer_s!r}")
        if not -math.inf < at_s < math.inf:
            raise InvalidValueError(f"at_s must be finite, got {at_s!r}")
        measured_s = max(transfer_s, FLOOR_S)
        x = (1.0, payload_bytes / _UNIT_BYTES)
        if self.linear_.seen_ < SETTLED:
            self.linear_.learn_one(x, measured_s, 1 / (measured_s * measured_s))
            return self
        usual_s = max(self.linear_.predict_one(x), FLOOR_S)
        deviation = math.log(measured_s / usual_s)
        level = self.drift_.level(at_s)
        surprise = deviation - level.now
        gate = GATE * max(self.spread_, LEAST_SPREAD)
        self.spread_ += 0.05 * (min(abs(surprise), 1.0) - self.spread_)
        taken = min(max(surprise, -gate), gate) + LASTING * level.lasting
        self.drift_.learn_one(at_s, deviation)
        self.linear_.learn_one(x, min(usual_s * math.exp(taken), MAX_S), 1 / (usual_s * usual_s))
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
        rtt_s, unit_s = self.linear_.prior_mean
        return LinkModel(rtt_s, unit_s / _UNIT_BYTES)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the deviation of the moment, as JSON."""
        return {"linear": self.linear_.to_dict(), "drift": self.drift_.to_dict(), "spread": self.spread_}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LinkModel:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        if not isinstance(state, Mapping):
            raise InvalidValueError(f"a saved link must be a table, got {type(state).__name__}")
        linear, spread = OnlineLinear.from_dict(state.get("linear", {})), state.get("spread")
        if len(linear.weights_) != 2 or not linear.nonnegative:
            raise InvalidValueError(f"a link has 2 weights of at least 0, got {len(linear.weights_)}")
        if type(spread) not in (int, float) or not 0 <= spread <= 1:
            raise InvalidValueError(f"spread must be a number between 0 and 1, got {spread!r}")
        link = cls()
        link.linear_, link.drift_, link.spread_ = linear, Drift.from_dict(state.get("drift", {})), float(spread)
        return link
