"""A linear model of seconds that shrugs off one wild measurement and follows two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.linear import OnlineLinear

__all__ = ["RobustSeconds"]

SETTLED = 4
"""Measurements before one can be called wild."""
GATE = 3.0
"""A measurement is wild if it misses by more than this many usual misses."""
LEAST_SPREAD = 0.05
"""The usual miss never counts as less than 5% of the prediction, or exact measurements would make any other wild."""
PRIOR_SPREAD = 0.3
"""The usual relative miss to believe before anything was measured."""
FLOOR_S = 1e-4
"""Durations below this are noise: a relative error of them says nothing."""
CEILING_S = 1e4
"""Longer ones weigh no less than this, so that no weight vanishes."""


class RobustSeconds:
    """seconds = w·x with w >= 0, learned from relative errors.

    Noise of durations grows with them, so a measurement weighs 1 / predicted². One that misses by more than `GATE`
    usual misses is passed over; a second one that misses on the same side means that the world changed: the model then
    doubts all it knows and follows at once. For nonnegative features predictions are never negative and never fall as
    a feature grows. Arguments as in `OnlineLinear`, the prior's weight in measurements of `typical_s` seconds.
    """

    __slots__ = ("linear_", "side_", "spread_")

    def __init__(
        self,
        prior_mean: Sequence[float],
        prior_weight: float | Sequence[float],
        *,
        typical_s: float = 0.05,
        forgetting: float = 0.95,
    ) -> None:
        weights = [prior_weight] * len(prior_mean) if isinstance(prior_weight, int | float) else prior_weight
        scaled = [weight / (typical_s * typical_s) for weight in weights]
        noise = PRIOR_SPREAD * PRIOR_SPREAD
        self.linear_ = OnlineLinear(prior_mean, scaled, forgetting=forgetting, nonnegative=True, noise=noise)
        self.spread_ = PRIOR_SPREAD
        self.side_ = 0

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds."""
        return self.linear_.predict_one(features)

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds."""
        typical_s = min(max(self.linear_.predict_one(features), FLOOR_S), CEILING_S)
        return self.linear_.sd_one(features, 1 / (typical_s * typical_s))

    def learn_one(self, features: Sequence[float], seconds: float) -> RobustSeconds:
        """Take in one measured duration. Raises InvalidValueError if it is negative or not finite."""
        if not 0 <= seconds < 1e6:
            raise InvalidValueError(f"seconds must be between 0 and 1e6, got {seconds!r}")
        predicted = self.linear_.predict_one(features)
        # Relative to the larger of both: too long and too short by the same factor miss by the same amount.
        scale = max(predicted, seconds, FLOOR_S)
        miss = (seconds - predicted) / scale
        side = (miss > 0) - (miss < 0)
        settled = self.linear_.seen_ >= SETTLED
        wild = settled and abs(miss) > GATE * max(self.spread_, LEAST_SPREAD)
        if wild and side != self.side_:
            self.side_ = side
            return self
        if wild:
            self.linear_.doubt()
        self.side_ = 0
        self.spread_ += 0.3 * (min(abs(miss), 1.0) - self.spread_)
        # Weighing by the measured seconds would favour the short ones and so predict too low, but it is all there is
        # while the prediction is not to be trusted.
        typical_s = min(max(predicted if settled and not wild else seconds, FLOOR_S), CEILING_S)
        self.linear_.learn_one(features, seconds, 1 / (typical_s * typical_s))
        return self

    def rebase(self, prior_mean: Sequence[float]) -> RobustSeconds:
        """Somebody who has measured more has a new prior: what was learned is kept as the difference to it.

        Raises InvalidValueError.
        """
        fresh = OnlineLinear(
            prior_mean,
            self.linear_.prior_weight,
            forgetting=self.linear_.forgetting,
            nonnegative=True,
            noise=self.linear_.noise,
        )
        if len(fresh.weights_) != len(self.linear_.weights_):
            raise InvalidValueError(f"prior_mean must have {len(self.linear_.weights_)} numbers, got {len(prior_mean)}")
        moved = zip(self.linear_.weights_, self.linear_.prior_mean, fresh.prior_mean, strict=True)
        fresh.weights_ = [max(weight + new - old, 0.0) for weight, old, new in moved]
        fresh.covariance_, fresh.noise_, fresh.seen_ = self.linear_.covariance_, self.linear_.noise_, self.linear_.seen_
        self.linear_ = fresh
        return self

    def clone(self) -> RobustSeconds:
        """The same prior, nothing learned."""
        model = RobustSeconds.__new__(RobustSeconds)
        model.linear_, model.spread_, model.side_ = self.linear_.clone(), PRIOR_SPREAD, 0
        return model

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {"linear": self.linear_.to_dict(), "spread": self.spread_, "side": self.side_}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RobustSeconds:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        if not isinstance(state, Mapping):
            raise InvalidValueError(f"a saved model must be a table, got {type(state).__name__}")
        spread, side = state.get("spread"), state.get("side")
        if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0 <= spread <= 1:
            raise InvalidValueError(f"spread must be a number between 0 and 1, got {spread!r}")
        if side not in (-1, 0, 1):
            raise InvalidValueError(f"side must be -1, 0 or 1, got {side!r}")
        linear = OnlineLinear.from_dict(state.get("linear", {}))
        if not linear.nonnegative:
            raise InvalidValueError("a model of seconds must be nonnegative")
        model = cls.__new__(cls)
        model.linear_, model.spread_, model.side_ = linear, float(spread), int(side)
        return model
