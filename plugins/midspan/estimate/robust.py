"""A linear model of seconds that tells the moment from the usual."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import duration, number, numbers, table, whole
from midspan.estimate.drift import Drift
from midspan.estimate.linear import OnlineLinear, dot

__all__ = ["RobustSeconds"]

SETTLED = 4
"""Measurements before a deviation can be told from the usual."""
GATE = 3.0
"""A surprise beyond this many usual ones moves the usual no further: the drift follows it, if it lasts."""
LEAST_SPREAD = 0.05
"""The usual surprise never counts as less than 5%, or exact measurements would make any other wild."""
PRIOR_SPREAD = 0.3
"""The usual surprise to believe before anything was measured."""
LASTING = 0.5
"""Share of a lasting deviation that is taken for the new usual."""
MOVED = 1.0
"""A lasting deviation beyond this, a factor of 2.7, is another world: the usual moves there."""
DOUBT = 1.5
"""Times less that what was learned is worth at each measurement meanwhile."""
RATE = 0.05
"""Weight of the last surprise: about the last 20 count."""
FLOOR_S = 1e-4
"""Durations below this are noise: a relative error of them says nothing."""
CEILING_S = 1e4
"""Longer ones weigh no less than this, so that no weight vanishes."""
MAX_CHANCES = 100


class RobustSeconds:
    """seconds = (w·x) * exp(deviation) with w >= 0, learned from relative errors.

    ::

        measured / usual ──► Drift: the deviation to expect now, from the last seconds to hour
              │                 │
              └── without it ◄──┘
                     │
                     ▼
        OnlineLinear: the usual, w·x

    Noise of durations grows with them, so a measurement weighs 1 / predicted². The usual learns from measurements that
    the expected deviation was taken out of, so that a bad minute does not spoil it (Cochrane and Orcutt, 1949, for
    errors that are correlated in time). What deviated is believed the less the longer ago it was measured: a phone
    that was hot gets another chance. For nonnegative features predictions are never negative and never fall as a
    feature grows.

    `surprise_` is log(measured / predicted) of the last measurement, 0 while predictions mean nothing.

    Args:
        prior_mean: as in `OnlineLinear`.
        prior_weight: in measurements of `typical_s` seconds.
        typical_s: a usual duration.
        forgetting: as in `OnlineLinear`, of the usual.
        chances: for so many measurements the prior is predicted where it is lower, so that what went badly at first is
            tried again.

    """

    __slots__ = ("chances", "drift_", "linear_", "spread_", "surprise_")

    def __init__(
        self,
        prior_mean: Sequence[float],
        prior_weight: float | Sequence[float],
        *,
        typical_s: float = 0.05,
        forgetting: float = 0.99,
        chances: int = 0,
    ) -> None:
        weights = [prior_weight] * len(prior_mean) if isinstance(prior_weight, int | float) else prior_weight
        scaled = [weight / (typical_s * typical_s) for weight in weights]
        noise = PRIOR_SPREAD * PRIOR_SPREAD
        self.linear_ = OnlineLinear(prior_mean, scaled, forgetting=forgetting, nonnegative=True, noise=noise)
        self.drift_ = Drift()
        self.spread_ = PRIOR_SPREAD
        self.surprise_ = 0.0
        self.chances = whole(chances, "chances", maximum=MAX_CHANCES)

    def factor(self, at_s: float) -> float:
        """How many times the usual is to be expected at `at_s`, seconds on the clock of `learn_one`."""
        return math.exp(self.drift_.level(at_s))

    def predict_one(self, features: Sequence[float], at_s: float = 0.0) -> float:
        """Predicted seconds at the time `at_s`; without times, deviations are forgotten by count alone."""
        return self._usual_s(features) * self.factor(at_s)

    def sd_one(self, features: Sequence[float], at_s: float = 0.0) -> float:
        """Standard deviation of the error to expect, in seconds."""
        return self.forecast_one(features, at_s)[1]

    def forecast_one(self, features: Sequence[float], at_s: float = 0.0) -> tuple[float, float]:
        """Both: predicted seconds, and the standard deviation of the error to expect."""
        factor = math.exp(self.drift_.level(at_s))
        usual_s = self._usual_s(features)
        noise_s = self.relative_sd * max(usual_s, FLOOR_S)
        # Of what was never measured we know at least the order of magnitude.
        ignorance_s = min(self.linear_.mean_sd_one(features), usual_s)
        return usual_s * factor, math.hypot(noise_s, ignorance_s) * factor

    def weights(self, at_s: float) -> list[float]:
        """The weights w at the time `at_s`, with the expected deviation: all that it takes to predict often."""
        if self.linear_.seen_ < self.chances:
            return [min(pair) for pair in zip(self.linear_.weights_, self.linear_.prior_mean, strict=True)]
        factor = self.factor(at_s)
        return [weight * factor for weight in self.linear_.weights_]

    @property
    def relative_sd(self) -> float:
        """Standard deviation of the error to expect where much was measured, as a part of the prediction."""
        # Normal errors are 1.25 times as large in the root of the mean square as in the mean.
        return 1.25 * self.spread_

    def learn_one(self, features: Sequence[float], seconds: float, at_s: float = 0.0) -> RobustSeconds:
        """Take in one duration, measured at the time `at_s`. Raises InvalidValueError for absurd numbers."""
        seconds, at_s = duration(seconds), number(at_s, "at_s")
        linear, measured_s = self.linear_, min(max(seconds, FLOOR_S), CEILING_S)
        features = numbers(features, len(linear.weights_), "features")  # before anything has changed
        if linear.seen_ < SETTLED:
            # Weighing by the measured favours the short ones, but it is all there is while predictions mean nothing.
            linear.update(features, seconds, 1 / (measured_s * measured_s))
            return self
        usual_s = min(max(linear.predict_one(features), FLOOR_S), CEILING_S)
        deviation = math.log(measured_s / usual_s)
        gate = GATE * max(self.spread_, LEAST_SPREAD)
        level = self.drift_.learn_one(at_s, deviation)
        self.surprise_ = surprise = deviation - level.expected
        if abs(level.lasting) > MOVED:
            linear.doubt(DOUBT)
            taken = deviation - level.expected + level.lasting
        else:
            taken = min(max(surprise, -gate), gate) + LASTING * level.lasting
        linear.update(features, usual_s * math.exp(taken), 1 / (usual_s * usual_s))
        self.spread_ += RATE * (min(abs(surprise), 1.0) - self.spread_)
        return self

    def rebase(self, prior_mean: Sequence[float]) -> RobustSeconds:
        """Believe another prior, as if it had been there from the start: where nothing was measured it decides.

        The posterior mean of w moves by P diag(prior_weight) (new - old). Raises InvalidValueError.
        """
        old = self.linear_
        fresh = OnlineLinear(prior_mean, old.prior_weight, forgetting=old.forgetting, nonnegative=True, noise=old.noise)
        pull = [
            weight * (new - before)
            for weight, new, before in zip(old.prior_weight, fresh.prior_mean, old.prior_mean, strict=True)
        ]
        moved = [dot(row, pull) for row in old.covariance_]
        # No weight grows beyond what it was and what the prior says: priors that alternate would add up.
        fresh.weights_ = [
            min(max(weight + step, 0.0), max(weight, new))
            for weight, step, new in zip(old.weights_, moved, fresh.prior_mean, strict=True)
        ]
        fresh.covariance_, fresh.noise_, fresh.seen_ = old.covariance_, old.noise_, old.seen_
        self.linear_ = fresh
        return self

    def clone(self) -> RobustSeconds:
        """The same prior, nothing learned."""
        model = RobustSeconds.__new__(RobustSeconds)
        model.linear_, model.drift_, model.spread_ = self.linear_.clone(), Drift(), PRIOR_SPREAD
        model.chances, model.surprise_ = self.chances, 0.0
        return model

    def to_dict(self) -> dict[str, Any]:
        """Everything but the deviation of the moment, as JSON."""
        linear, drift = self.linear_.to_dict(), self.drift_.to_dict()
        return {"linear": linear, "drift": drift, "spread": self.spread_, "chances": self.chances}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RobustSeconds:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        state = table(state, "model")
        spread = number(state.get("spread"), "spread", minimum=0.0, maximum=1.0)
        linear = OnlineLinear.from_dict(state.get("linear", {}))
        if not linear.nonnegative:
            raise InvalidValueError("a model of seconds must be nonnegative")
        model = cls.__new__(cls)
        model.linear_, model.drift_, model.spread_ = linear, Drift.from_dict(state.get("drift", {})), spread
        model.surprise_ = 0.0
        model.chances = whole(state.get("chances"), "chances", maximum=MAX_CHANCES)
        return model

    def _usual_s(self, features: Sequence[float]) -> float:
        learned_s = self.linear_.predict_one(features)
        if self.linear_.seen_ >= self.chances:
            return learned_s
        return min(learned_s, dot(self.linear_.prior_mean, features))
