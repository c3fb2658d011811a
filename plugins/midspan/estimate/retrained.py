"""Ordinary least squares over a window, retrained when it has become worse than it was in training."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import LIMIT, duration, number, numbers, table, whole
from midspan.estimate.linear import dot

__all__ = ["RetrainedLinear"]

MAX_FEATURES = 16
MAX_WINDOW = 2_000
FLOOR_S = 1e-4
"""Durations below this are noise: a relative error of them says nothing."""
ROUNDING = 1e-9
"""An accuracy that is worse by no more than this part is not worse."""
SINGULAR = 1e-9
"""What is left of a feature after the others are taken out of it counts as rounding below this part of it."""
LEAST_NORM = 1e-12
"""A feature that varies by less counts as constant, or its weight would overflow."""
MAX_WEIGHT = 1e24
UNTRAINED_PART = 0.3
"""Standard deviation to believe before there is a line, as a part of the prediction."""


class RetrainedLinear:
    """seconds = intercept + w·x: PieSlicer's model of a time, and its rule for when to train it again.

    Trained by ordinary least squares over the last measurements; trained again "once the prediction accuracy falls
    below the training accuracy" (PieSlicer, section 5.2, "Retraining models"). The paper does not say over how many
    requests it takes that accuracy: here over the last `recent`, once there are as many new ones (or as many as the
    line was trained on, so that a line through few points is judged soon). Both accuracies are mean absolute
    percentage errors. Learning is cheap until it retrains; then it takes as long as the whole window does. The rule is
    blind where a window holds times from before and after a change: of both at once a line is so bad in training that
    it seems good enough afterwards.

    Args:
        features: how many, without the constant 1: it adds its own intercept.
        window: measurements that it keeps and is trained on.
        least: measurements before the first line; until then it predicts their mean. Default: two more than features.
        recent: measurements that tell how good it is now.
        prior: seconds to predict before anything was measured.

    Predictions are never negative. Raises InvalidValueError for arguments beyond bounds.

    """

    __slots__ = (
        "errors_", "features", "intercept_", "least", "measured_", "noise_sd_", "prior", "recent", "retrained_",
        "trained_on_", "training_error_", "weights_", "window",
    )  # fmt: skip

    def __init__(
        self, features: int, *, window: int = 200, least: int | None = None, recent: int = 20, prior: float = 0.05
    ) -> None:
        self.features = whole(features, "features", minimum=1, maximum=MAX_FEATURES)
        self.window = whole(window, "window", minimum=features + 2, maximum=MAX_WINDOW)
        chosen = features + 2 if least is None else least
        self.least = whole(chosen, "least", minimum=features + 2, maximum=window)
        self.recent = whole(recent, "recent", minimum=1, maximum=MAX_WINDOW)
        self.prior = duration(prior, "prior")
        self.measured_: deque[tuple[list[float], float]] = deque(maxlen=window)
        self.errors_: deque[float] = deque(maxlen=recent)
        self.weights_ = [0.0] * features
        self.intercept_ = self.prior
        self.noise_sd_ = UNTRAINED_PART * self.prior
        self.training_error_ = 0.0
        self.trained_on_ = 0
        self.retrained_ = 0

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds."""
        return max(self.intercept_ + dot(self.weights_, features), 0.0)

    def sd_one(self, features: Sequence[float]) -> float:
        """Standard deviation of the error to expect, in seconds: the residuals' in training, the same everywhere."""
        return self.noise_sd_

    def learn_one(self, features: Sequence[float], seconds: float) -> RetrainedLinear:
        """Take in one measured duration, and retrain if it is time. Raises InvalidValueError."""
        x, y = numbers(list(features), self.features, "features"), duration(seconds)
        self.errors_.append(abs(self.predict_one(x) - y) / max(y, FLOOR_S))
        self.measured_.append((x, y))
        if not self.trained_on_:
            if len(self.measured_) >= self.least:
                self._train()
            else:
                self.intercept_ = math.fsum(y for _, y in self.measured_) / len(self.measured_)
                self.noise_sd_ = UNTRAINED_PART * self.intercept_
        elif self._is_worse():
            self._train()
            self.retrained_ += 1
        return self

    def clone(self) -> RetrainedLinear:
        """The same arguments, nothing learned."""
        return RetrainedLinear(
            self.features, window=self.window, least=self.least, recent=self.recent, prior=self.prior
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON, the window's measurements included."""
        return {
            "features": self.features,
            "window": self.window,
            "least": self.least,
            "recent": self.recent,
            "prior": self.prior,
            "measured": [[*x, y] for x, y in self.measured_],
            "errors": list(self.errors_),
            "weights": list(self.weights_),
            "intercept": self.intercept_,
            "noise_sd": self.noise_sd_,
            "training_error": self.training_error_,
            "trained_on": self.trained_on_,
            "retrained": self.retrained_,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RetrainedLinear:
        """Read what `to_dict` wrote. Raises InvalidValueError for anything damaged, infinite or too large."""
        state = table(state, "model")
        features = whole(state.get("features"), "features", minimum=1, maximum=MAX_FEATURES)
        window = whole(state.get("window"), "window", minimum=features + 2, maximum=MAX_WINDOW)
        least = whole(state.get("least"), "least", minimum=features + 2, maximum=window)
        recent = whole(state.get("recent"), "recent", minimum=1, maximum=MAX_WINDOW)
        model = cls(features, window=window, least=least, recent=recent, prior=duration(state.get("prior", math.nan)))
        measured, errors = state.get("measured"), state.get("errors")
        if not isinstance(measured, list) or len(measured) > window:
            raise InvalidValueError(f"measured must be a list of at most {window}")
        if not isinstance(errors, list) or len(errors) > recent:
            raise InvalidValueError(f"errors must be a list of at most {recent}")
        for row in measured:
            *x, y = numbers(row, features + 1, "a row of measured")
            model.measured_.append((x, duration(y)))
        model.errors_.extend(numbers(errors, len(errors), "errors", minimum=0.0, maximum=MAX_WEIGHT * LIMIT))
        model.weights_ = numbers(state.get("weights"), features, "weights", minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT)
        wide = MAX_WEIGHT * LIMIT
        model.intercept_ = number(state.get("intercept"), "intercept", minimum=-wide, maximum=wide)
        model.noise_sd_ = number(state.get("noise_sd"), "noise_sd", minimum=0.0, maximum=wide)
        model.training_error_ = number(state.get("training_error"), "training_error", minimum=0.0, maximum=wide)
        model.trained_on_ = whole(state.get("trained_on"), "trained_on", maximum=window)
        model.retrained_ = whole(state.get("retrained"), "retrained")
        return model

    def _is_worse(self) -> bool:
        count = len(self.errors_)
        return (
            count >= min(self.recent, self.trained_on_)
            and math.fsum(self.errors_) / count > self.training_error_ + ROUNDING
        )

    def _train(self) -> None:
        ys = [y for _, y in self.measured_]
        self.weights_, self.intercept_ = _least_squares([x for x, _ in self.measured_], ys)
        misses = [self.predict_one(x) - y for x, y in self.measured_]
        freedom = max(len(ys) - self.features - 1, 1)
        self.noise_sd_ = math.sqrt(math.fsum(miss * miss for miss in misses) / freedom)
        self.training_error_ = math.fsum(abs(m) / max(y, FLOOR_S) for m, y in zip(misses, ys, strict=True)) / len(ys)
        self.trained_on_ = len(ys)
        self.errors_.clear()


def _least_squares(rows: Sequence[Sequence[float]], ys: Sequence[float]) -> tuple[list[float], float]:
    """Weights and intercept of ordinary least squares.

    Modified Gram-Schmidt on the centred columns: the normal equations would square the condition number (Golub and
    Van Loan, Matrix Computations, section 5.3). A feature that the ones before it determine gets the weight 0.
    """
    count = len(ys)
    means = [math.fsum(column) / count for column in zip(*rows, strict=True)]
    mean_y = math.fsum(ys) / count
    left = [[value - mean for value in column] for column, mean in zip(zip(*rows, strict=True), means, strict=True)]
    residual = [y - mean_y for y in ys]
    size = len(means)
    norms = [max(abs(value) for value in column) for column in zip(*rows, strict=True)]
    triangle = [[0.0] * size for _ in range(size)]
    shares = [0.0] * size
    kept = []
    for i in range(size):
        norm = math.sqrt(dot(left[i], left[i]))
        if norm <= max(SINGULAR * norms[i] * math.sqrt(count), LEAST_NORM):
            continue
        kept.append(i)
        unit = [value / norm for value in left[i]]
        triangle[i][i] = norm
        for j in range(i + 1, size):
            triangle[i][j] = dot(unit, left[j])
            left[j] = [value - triangle[i][j] * part for value, part in zip(left[j], unit, strict=True)]
        shares[i] = dot(unit, residual)
        residual = [value - shares[i] * part for value, part in zip(residual, unit, strict=True)]
    weights = [0.0] * size
    for i in reversed(kept):
        known = math.fsum(triangle[i][j] * weights[j] for j in kept if j > i)
        weights[i] = min(max((shares[i] - known) / triangle[i][i], -MAX_WEIGHT), MAX_WEIGHT)
    return weights, mean_y - dot(weights, means)
