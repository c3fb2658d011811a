"""How far a quantity is from its usual level just now, on several time scales at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from midspan.errors import InvalidValueError

__all__ = ["Drift", "Expert", "Level"]


class Expert(NamedTuple):
    """One idea of how long a deviation lasts.

    Attributes:
        keep: what the past keeps of its weight at each measurement, in [0, 1).
        lasts_s: after so many seconds without one it has kept 1/e of it.
        doubt: measurements' worth of belief that nothing deviates.

    """

    keep: float
    lasts_s: float
    doubt: float


EXPERTS: Final = (Expert(0.1, 60.0, 0.2), Expert(0.5, 60.0, 0.3), Expert(0.95, 3000.0, 0.5))
"""From "the last measurement alone counts, for a minute" to "the mean of the last twenty, for an hour"."""
SHARPNESS = 12.0
"""How strongly the mixture prefers the expert with the smallest error: 10% worse weighs exp(-1.2)."""
RATE = 0.05
"""Weight of the last error in an expert's: about the last 20 count."""
PRIOR_ERROR = 0.3
LIMIT = 5.0
"""No deviation counts as more than a factor of exp(5), 150: 3G after Wi-Fi, where the app names no network."""


class Level(NamedTuple):
    """Logarithms of factors: what was expected, and the part of it that had lasted."""

    expected: float
    lasting: float


class Drift:
    """Predicts the next deviation as a mixture of experts.

    A deviation is the logarithm of measured over usual. Each expert is an exponentially weighted mean that forgets both
    by count and by time, shrunk towards 0; one more says 0 always. The mixture weighs each by exp(-12 (e/e_min - 1)),
    e its mean absolute error lately (an exponentially weighted forecaster: Cesa-Bianchi and Lugosi, Prediction,
    Learning, and Games, section 2.1). So it learns whether a network's deviations last for one request or an hour.
    Time that runs backwards counts as standing still.
    """

    __slots__ = ("at_", "errors_", "shares_", "sums_", "weights_")

    def __init__(self) -> None:
        self.weights_ = [0.0] * len(EXPERTS)
        self.sums_ = [0.0] * len(EXPERTS)
        self.errors_ = [PRIOR_ERROR] * (len(EXPERTS) + 1)
        self.shares_ = _shares(self.errors_)
        self.at_ = -math.inf

    def level(self, at_s: float) -> float:
        """What to expect at `at_s`, seconds on the clock of `learn_one`."""
        passed_s = max(0.0, at_s - self.at_)  # in this order, NaN counts as 0
        level = 0.0
        for (_, lasts_s, doubt), share, total, weight in zip(
            EXPERTS, self.shares_, self.sums_, self.weights_, strict=False
        ):
            kept = math.exp(-passed_s / lasts_s)
            level += share * total * kept / (weight * kept + doubt)
        return level

    def learn_one(self, at_s: float, deviation: float) -> Level:
        """Take in one measured deviation. Returns what was expected of it."""
        deviation = min(max(deviation, -LIMIT), LIMIT)
        passed_s = max(0.0, at_s - self.at_)  # in this order, NaN counts as 0
        now = opinion = 0.0
        errors, sums, weights = self.errors_, self.sums_, self.weights_
        for i, (keep, lasts_s, doubt) in enumerate(EXPERTS):
            kept = math.exp(-passed_s / lasts_s)
            opinion = sums[i] * kept / (weights[i] * kept + doubt)
            now += self.shares_[i] * opinion
            errors[i] += RATE * (abs(opinion - deviation) - errors[i])
            sums[i] = sums[i] * kept * keep + deviation
            weights[i] = weights[i] * kept * keep + 1
        errors[-1] += RATE * (abs(deviation) - errors[-1])
        self.at_ = at_s
        self.shares_ = _shares(errors)
        return Level(now, opinion)

    def to_dict(self) -> dict[str, Any]:
        """How good each expert is, as JSON, but no deviation: clocks differ between processes."""
        return {"errors": list(self.errors_)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Drift:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        drift = cls()
        errors = state.get("errors") if isinstance(state, Mapping) else None
        if not isinstance(errors, list) or len(errors) != len(drift.errors_):
            raise InvalidValueError(f"a drift must have {len(drift.errors_)} errors")
        if not all(isinstance(error, int | float) and 0 <= error <= 2 * LIMIT for error in errors):
            raise InvalidValueError(f"errors must be numbers between 0 and {2 * LIMIT:g}")
        drift.errors_ = [float(error) for error in errors]
        drift.shares_ = _shares(drift.errors_)
        return drift


def _shares(errors: Sequence[float]) -> list[float]:
    least = max(min(errors), 1e-3)
    weights = [math.exp(SHARPNESS * (1 - error / least)) for error in errors]
    total = sum(weights)
    return [weight / total for weight in weights]
