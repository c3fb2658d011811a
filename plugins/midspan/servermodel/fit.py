"""Linear models of seconds that wild measurements do not move: robust regression on relative errors.

In-cloud preprocessing and the fixed rest of the server's time are two of the four components of PieSlicer (sections 4.2
and 4.3), each a linear model of the photo's features. The paper fits by least squares; the shared machines that servers
run on have pauses, so here Huber's loss is taken, and what misses by far is left out in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["Fit", "fit_seconds", "server_model"]

FLOOR_S = 1e-4
"""Durations below this are noise: a relative error of them says nothing."""
ROUNDS = 2
"""Times that the weights follow the predictions; more change nothing that can be measured."""
WILD = 3.5
"""A sample is wild if the logarithm of its ratio to the prediction is more than this many usual ones, by the median."""
LEAST_SD = 0.02
"""The usual relative miss never counts as less, or exact samples would make any other wild."""
MOST_SD = 1.0
RIDGE = 1e-4
"""Decides between features that have always grown together; too weak to move what the samples tell apart."""
MAD_TO_SD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""
COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Fit:
    """seconds = coefficients · features, none of them negative; misses spread by `relative_sd` of the prediction."""

    coefficients: tuple[float, ...]
    relative_sd: float


def server_model(samples: Sequence[Sequence[float]]) -> dict[str, Any]:
    """What is published of one variant, as JSON, but for the version: see `midspan.wire`.

    A sample is (megabytes, decoded megapixels, seconds to prepare, other seconds); rows that are none are left out.
    Raises ValueError where none is left, or where the regression does not converge.
    """
    rows = np.array([row for row in samples if len(row) == COLUMNS], np.float64).reshape(-1, COLUMNS)
    rows = rows[(np.isfinite(rows) & (rows >= 0)).all(axis=1)]
    if not len(rows):
        raise ValueError("there is no sample to learn from")
    ones = np.ones((len(rows), 1))
    prepare = fit_seconds(np.hstack([ones, rows[:, :2]]), rows[:, 2])
    fixed = fit_seconds(ones, rows[:, 3])
    return {
        "prepare_s": [_short(one) for one in prepare.coefficients],
        "prepare_relative_sd": _short(prepare.relative_sd),
        "fixed_s": _short(fixed.coefficients[0]),
        "fixed_relative_sd": _short(fixed.relative_sd),
        "samples": len(rows),
    }


def fit_seconds(features: Array, seconds: Array) -> Fit:
    """Fit durations of shape (n,) over nonnegative features of shape (n, k). Raises ValueError.

    Noise of durations grows with them, so a miss counts relative to the larger of measured and predicted: too long and
    too short by the same factor then miss by the same amount. The last round leaves out what is wild and divides by
    the predicted seconds alone, since dividing by the measured ones favours the short and so predicts too low.
    """
    typical_s = np.full(len(seconds), max(float(np.median(seconds)), FLOOR_S))
    predicted = features @ _nonnegative(features, seconds, typical_s)
    for _ in range(ROUNDS):
        scale = np.maximum(np.maximum(seconds, predicted), FLOOR_S)
        predicted = features @ _nonnegative(features, seconds, scale)
    predicted = np.maximum(predicted, FLOOR_S)
    miss = np.abs(np.log(np.maximum(seconds, FLOOR_S) / predicted))
    usual = miss <= WILD * max(MAD_TO_SD * float(np.median(miss)), LEAST_SD)
    features, seconds = features[usual], seconds[usual]
    coefficients = _nonnegative(features, seconds, predicted[usual])
    predicted = np.maximum(features @ coefficients, FLOOR_S)
    sd = min(float(np.sqrt(np.mean((seconds / predicted - 1) ** 2))), MOST_SD)
    return Fit(tuple(coefficients.tolist()), sd)


def _nonnegative(features: Array, seconds: Array, scale_s: Array) -> Array:
    """Fit, and fit again without the most negative feature until there is none; left-out features get 0."""
    coefficients = np.zeros(features.shape[1])
    kept = list(np.flatnonzero(features.max(axis=0) > 0))
    while kept:
        size = features[:, kept].mean(axis=0)
        # Columns of like size, or the solver walks in circles; in units of `scale_s` every target is about 1.
        found = _huber(features[:, kept] / size / scale_s[:, None], seconds / scale_s) / size
        if (found >= 0).all():
            coefficients[kept] = found
            break
        kept.pop(int(np.argmin(found * size)))
    return coefficients


def _huber(rows: Array, targets: Array) -> Array:
    from sklearn.linear_model import HuberRegressor  # takes a second and 85 MB: in one worker's thread, when it is due

    model = HuberRegressor(fit_intercept=False, alpha=RIDGE, max_iter=1000)
    found: Array = model.fit(rows, targets).coef_
    return found


def _short(value: float) -> float:
    """Four digits are more than the samples know, and cost fewer bytes on every answer."""
    return float(f"{value:.4g}")
