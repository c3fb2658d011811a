"""Of several sets of features, the one that predicted best lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError
from midspan.estimate.check import numbers, table, whole
from midspan.estimate.robust import PRIOR_SPREAD, SETTLED, RobustSeconds

__all__ = ["BestOf"]

RATE = 0.03
"""Weight of the last error: about the last 30 decide which set is best."""
CLEARLY = 0.95
"""Another set takes over when its error is at most this part of the present one's, so that equals do not alternate."""


class BestOf:
    """seconds = w·x over the subset of x that has had the smallest error lately.

    More features describe more and need more measurements: bytes alone are often the better model. All sets learn from
    every measurement; each is judged by the mean |log(predicted / measured)| of what it predicted before it learned.

    Args:
        prior_mean: one number for each feature.
        prior_weight: see `RobustSeconds`; one for each feature.
        subsets: tuples of indices into the features, at least one; the first is believed until another is better.
        typical_s: see `RobustSeconds`.
        forgetting: see `RobustSeconds`.
        chances: see `RobustSeconds`.

    """

    __slots__ = ("best_", "errors_", "judged_", "models_", "subsets")

    def __init__(
        self,
        prior_mean: Sequence[float],
        prior_weight: Sequence[float],
        subsets: Sequence[Sequence[int]],
        *,
        typical_s: float = 0.05,
        forgetting: float = 0.99,
        chances: int = 0,
    ) -> None:
        self.subsets = _subsets(subsets)
        if not len(prior_mean) == len(prior_weight) == _width(self.subsets):
            raise InvalidValueError(f"prior_mean and prior_weight must have {_width(self.subsets)} numbers each")
        self.models_ = [
            RobustSeconds(
                [prior_mean[i] for i in subset],
                [prior_weight[i] for i in subset],
                typical_s=typical_s,
                forgetting=forgetting,
                chances=chances,
            )
            for subset in self.subsets
        ]
        self.errors_ = [PRIOR_SPREAD] * len(self.subsets)
        self.best_ = self.judged_ = 0

    def predict_one(self, features: Sequence[float], at_s: float = 0.0) -> float:
        """Predicted seconds at the time `at_s`."""
        return self.models_[self.best_].predict_one([features[i] for i in self.subsets[self.best_]], at_s)

    def sd_one(self, features: Sequence[float], at_s: float = 0.0) -> float:
        """Standard deviation of the error to expect, in seconds."""
        return self.forecast_one(features, at_s)[1]

    def forecast_one(self, features: Sequence[float], at_s: float = 0.0) -> tuple[float, float]:
        """Both: predicted seconds, and the standard deviation of the error to expect."""
        return self.models_[self.best_].forecast_one([features[i] for i in self.subsets[self.best_]], at_s)

    def learn_one(self, features: Sequence[float], seconds: float, at_s: float = 0.0) -> BestOf:
        """Take in one duration, measured at the time `at_s`. Raises InvalidValueError for absurd numbers."""
        numbers(features, _width(self.subsets), "features")  # before any set has learned
        settled = self.models_[0].linear_.seen_ >= SETTLED
        for model, subset in zip(self.models_, self.subsets, strict=True):
            model.learn_one([features[j] for j in subset], seconds, at_s)
        if not settled:  # the first predictions mean nothing
            return self
        self.judged_ += 1
        rate = max(RATE, 1 / self.judged_)  # at first a plain mean, so that a few decide
        for i, model in enumerate(self.models_):
            self.errors_[i] += rate * (min(abs(model.surprise_), 1.0) - self.errors_[i])
        least = min(range(len(self.errors_)), key=self.errors_.__getitem__)
        if self.errors_[least] < CLEARLY * self.errors_[self.best_]:
            self.best_ = least
        return self

    def clone(self) -> BestOf:
        """The same arguments, nothing learned."""
        model = BestOf.__new__(BestOf)
        model.subsets, model.models_ = self.subsets, [one.clone() for one in self.models_]
        model.errors_, model.best_, model.judged_ = [PRIOR_SPREAD] * len(self.subsets), 0, 0
        return model

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            "subsets": [list(subset) for subset in self.subsets],
            "models": [model.to_dict() for model in self.models_],
            "errors": list(self.errors_),
            "best": self.best_,
            "judged": self.judged_,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> BestOf:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        state = table(state, "model")
        model = cls.__new__(cls)
        model.subsets = _subsets(state.get("subsets"))
        size = len(model.subsets)
        models, errors, best = state.get("models"), state.get("errors"), state.get("best")
        if not isinstance(models, list) or not isinstance(errors, list) or not len(models) == len(errors) == size:
            raise InvalidValueError(f"models and errors must have {size} entries each, as subsets has")
        model.models_ = [RobustSeconds.from_dict(one) for one in models]
        for one, subset in zip(model.models_, model.subsets, strict=True):
            if len(one.linear_.weights_) != len(subset):
                raise InvalidValueError(f"a model over {len(subset)} features has {len(one.linear_.weights_)} weights")
        model.errors_ = numbers(errors, size, "errors", minimum=0.0, maximum=1.0)
        model.best_ = whole(best, "best", maximum=size - 1)
        model.judged_ = whole(state.get("judged"), "judged")
        return model


def _width(subsets: Sequence[Sequence[int]]) -> int:
    """The number of features: each is in some subset."""
    return 1 + max(map(max, subsets))


def _subsets(value: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 16:
        raise InvalidValueError("subsets must hold 1 to 16 lists of indices")
    for subset in value:
        if (
            not isinstance(subset, list | tuple)
            or not subset
            or not all(type(i) is int and 0 <= i < 16 for i in subset)
        ):
            raise InvalidValueError(f"a subset must hold indices from 0 to 15, got {subset!r}"[:200])
    return tuple(tuple(subset) for subset in value)
