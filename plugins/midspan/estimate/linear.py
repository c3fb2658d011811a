"""Recursive least squares with forgetting, for a handful of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import LIMIT, number, numbers, table, whole

__all__ = ["OnlineLinear", "dot"]

MAX_FEATURES = 16
ROUNDING = 1e-12
"""A variance that is below this part of what it was is rounding."""
NOISE_RATE = 0.03
"""Weight of the last error in the noise: it remembers about the last 30."""


class OnlineLinear:
    """y = w·x, learned one measurement at a time, starting from a prior.

    Args:
        prior_mean: the weights to believe before anything was measured; its length is the number of features.
        prior_weight: how many measurements at one unit of each feature the prior is worth; one number, or one each.
        forgetting: weight that the past keeps at each measurement, in (0, 1]; 0.95 remembers about the last 20.
        nonnegative: keep every weight at 0 or more, as for a cost that cannot shrink as a feature grows.
        noise: variance of a measurement of weight 1 to believe before anything was measured.

    The update is the textbook one (Haykin, Adaptive Filter Theory, RLS): with P the inverse of the weighted
    information matrix, k = P x / (λ/weight + xᵀ P x), w += k (y - wᵀx), P = (P - k xᵀ P) / λ. Two safeguards: P is not
    divided by λ where that would make it larger than the prior's, so that directions in which nothing was measured
    lately are not forgotten beyond what was known at the start; and a weight that falls below 0 is set to 0 with the
    others moved to their conditional mean. `noise_` follows the squared errors of predictions made before the
    measurement was known, (y - wᵀx)² / (1/weight + xᵀ P x). Not thread-safe.

    """

    __slots__ = (
        "covariance_",
        "forgetting",
        "noise",
        "noise_",
        "nonnegative",
        "prior_mean",
        "prior_weight",
        "seen_",
        "weights_",
    )

    def __init__(
        self,
        prior_mean: Sequence[float],
        prior_weight: float | Sequence[float] = 1.0,
        *,
        forgetting: float = 0.98,
        nonnegative: bool = False,
        noise: float = 1.0,
    ) -> None:
        size = len(prior_mean)
        if not 1 <= size <= MAX_FEATURES:
            raise InvalidValueError(f"prior_mean must have 1 to {MAX_FEATURES} numbers, got {size}")
        weights = [prior_weight] * size if isinstance(prior_weight, int | float) else list(prior_weight)
        self.prior_mean = numbers(list(prior_mean), size, "prior_mean", minimum=0.0 if nonnegative else -LIMIT)
        self.prior_weight = numbers(weights, size, "prior_weight", minimum=1 / LIMIT)
        self.forgetting = number(forgetting, "forgetting", minimum=0.5, maximum=1.0)
        self.nonnegative = nonnegative
        self.noise = self.noise_ = number(noise, "noise", minimum=0.0)
        self.weights_ = list(self.prior_mean)
        self.covariance_ = self._prior_covariance()
        self.seen_ = 0

    def predict_one(self, features: Sequence[float]) -> float:
        """wᵀx. Before anything was learned it is what the prior says. Raises InvalidValueError for a wrong length."""
        if len(features) != len(self.weights_):
            raise InvalidValueError(f"features must have {len(self.weights_)} numbers, got {len(features)}")
        return dot(self.weights_, features)

    def sd_one(self, features: Sequence[float], weight: float = 1.0) -> float:
        """Standard deviation of the error to expect for a measurement of that weight: its noise and our ignorance."""
        return math.sqrt(self.noise_ * (1 / weight + max(self._spread(features), 0.0)))

    def mean_sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the prediction itself: our ignorance without the noise of one measurement."""
        return math.sqrt(self.noise_ * max(self._spread(features), 0.0))

    def learn_one(self, features: Sequence[float], target: float, weight: float = 1.0) -> OnlineLinear:
        """Take in one measurement; `weight` is how many ordinary ones it is worth. Raises InvalidValueError."""
        x = numbers(features, len(self.weights_), "features")
        return self.update(x, number(target, "target"), number(weight, "weight", minimum=1e-9))

    def update(self, x: Sequence[float], y: float, scale: float) -> OnlineLinear:
        """As `learn_one`, for numbers that were checked already."""
        px = [dot(row, x) for row in self.covariance_]
        ignorance = dot(px, x)
        if ignorance < 0:  # rounding, or a saved state that was no covariance: xᵀ P x cannot be negative
            self.doubt()
            px = [dot(row, x) for row in self.covariance_]
            ignorance = dot(px, x)
        denominator = self.forgetting / scale + ignorance
        error = y - dot(self.weights_, x)
        follow = max(NOISE_RATE, 1 / (self.seen_ + 2))
        self.noise_ += follow * (min(error * error / (1 / scale + ignorance), LIMIT) - self.noise_)
        step = error / denominator
        self.weights_ = [weight + one * step for weight, one in zip(self.weights_, px, strict=True)]
        self._shrink(px, denominator)
        if self.nonnegative and min(self.weights_) < 0:
            self._project()
        self.seen_ += 1
        return self

    def doubt(self, times: float = math.inf) -> None:
        """Let all that was learned be worth so many times less, but keep the weights: the world is changing.

        No direction becomes more uncertain than it was at the start.
        """
        rows = self.covariance_
        if times == math.inf:
            self.covariance_ = self._prior_covariance()
            return
        scale = [
            math.sqrt(min(times, 1 / (weight * max(rows[i][i], 1 / LIMIT))))
            for i, weight in enumerate(self.prior_weight)
        ]
        # Rows and columns alike, so that it stays a covariance.
        self.covariance_ = [
            [value * one * other for value, other in zip(row, scale, strict=True)]
            for row, one in zip(rows, scale, strict=True)
        ]

    def clone(self) -> OnlineLinear:
        """The same prior, nothing learned."""
        return OnlineLinear(
            self.prior_mean,
            self.prior_weight,
            forgetting=self.forgetting,
            nonnegative=self.nonnegative,
            noise=self.noise,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON; `from_dict` makes an equal model of it."""
        return {
            "prior_mean": list(self.prior_mean),
            "prior_weight": list(self.prior_weight),
            "forgetting": self.forgetting,
            "nonnegative": self.nonnegative,
            "prior_noise": self.noise,
            "noise": self.noise_,
            "weights": list(self.weights_),
            "covariance": [list(row) for row in self.covariance_],
            "seen": self.seen_,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> OnlineLinear:
        """Read what `to_dict` wrote. Raises InvalidValueError for anything damaged, infinite or too large."""
        state = table(state, "model")
        mean, weight, nonnegative = state.get("prior_mean"), state.get("prior_weight"), state.get("nonnegative")
        if not isinstance(mean, list) or not isinstance(weight, list) or not isinstance(nonnegative, bool):
            raise InvalidValueError("a saved model lacks its prior_mean, prior_weight or nonnegative")
        forgetting, noise = state.get("forgetting", math.nan), state.get("prior_noise", math.nan)
        model = cls(mean, weight, forgetting=forgetting, nonnegative=nonnegative, noise=noise)
        model.noise_ = number(state.get("noise"), "noise", minimum=0.0)
        size = len(mean)
        rows = state.get("covariance")
        if not isinstance(rows, list) or len(rows) != size:
            raise InvalidValueError(f"covariance must have {size} rows")
        model.weights_ = numbers(state.get("weights"), size, "weights", minimum=0.0 if nonnegative else -LIMIT)
        model.covariance_ = [numbers(row, size, "a row of covariance") for row in rows]
        if any(model.covariance_[i][j] != model.covariance_[j][i] for i in range(size) for j in range(size)):
            raise InvalidValueError("covariance must be symmetric")
        if any(model.covariance_[i][i] < 0 for i in range(size)):
            raise InvalidValueError("covariance must not have a negative diagonal")
        model.seen_ = whole(state.get("seen"), "seen")
        return model

    def _spread(self, features: Sequence[float]) -> float:
        """xᵀ P x."""
        return dot([dot(row, features) for row in self.covariance_], features)

    def _prior_covariance(self) -> list[list[float]]:
        size = len(self.prior_mean)
        return [[1 / self.prior_weight[i] if i == j else 0.0 for j in range(size)] for i in range(size)]

    def _shrink(self, px: Sequence[float], denominator: float) -> None:
        """P -= P x xᵀ P / denominator, then forget."""
        rows, forgetting = self.covariance_, self.forgetting
        for i, row in enumerate(rows):
            gain = px[i] / denominator
            for j in range(i):
                row[j] = rows[j][i]
            for j in range(i, len(row)):
                row[j] -= gain * px[j]
            if row[i] < 0:
                row[i] = 0.0
        for i, row in enumerate(rows):
            if row[i] > forgetting / self.prior_weight[i]:
                return
        for row in rows:
            row[:] = [value / forgetting for value in row]

    def _project(self) -> None:
        """Condition on 0 what is below it, the lowest first: w -= P_i w_i / P_ii, and P likewise before the next one.

        With the P of before, two weights that make up for each other would push the others away, further each time.
        """
        weights, rows = self.weights_, self.covariance_
        for _ in weights:
            i = min(range(len(weights)), key=weights.__getitem__)
            if weights[i] >= 0:
                break
            if rows[i][i] > ROUNDING * self.covariance_[i][i]:
                column, share = rows[i], weights[i] / rows[i][i]
                weights = [weight - one * share for weight, one in zip(weights, column, strict=True)]
                rows = [
                    [value - one / column[i] * other for value, other in zip(row, column, strict=True)]
                    for row, one in zip(rows, column, strict=True)
                ]
            weights[i] = 0.0
        self.weights_ = [max(weight, 0.0) for weight in weights]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """Scalar product of two vectors of the same length."""
    total: float = sum(map(mul, a, b))
    return total
