"""The models of time that PieSlicer compares (section 4.3), as scikit-learn has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVR

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["MODELS", "Model", "percentage_error"]

NEIGHBOURS: Final = (*range(1, 30), 50, 100)
TREES: Final = (1, 2, 4, 8, 16)
DEPTH: Final = 10
PENALTIES: Final = (1.0, 10.0, 100.0)
"""Of a miss beyond the tube, in support vector regression."""
TUBES: Final = (0.003, 0.03, 0.1, 0.3)
"""Misses that cost nothing, as parts of a standard deviation of what is measured."""
FLOOR: Final = 1e-6
"""Nothing that is measured counts as less, so that percentages stay finite."""
SEED: Final = 1


class Model(Protocol):
    """What all of them do."""

    def fit(self, x: Array, y: Array) -> object:
        """Learn rows of features, and what was measured."""

    def predict(self, x: Array) -> Array:
        """One number for each row."""


def percentage_error(predicted: Array, measured: Array) -> float:
    """Mean absolute percentage error, in percent."""
    return float(np.mean(np.abs(predicted - measured) / np.maximum(np.abs(measured), FLOOR)) * 100)


class Neighbours:
    """The mean of the k most similar; k is what predicts each measurement best from all the others."""

    def fit(self, x: Array, y: Array) -> Neighbours:
        """Keep all, and choose k: without a look at what is predicted later, as that would flatter."""
        most = min(max(NEIGHBOURS), len(y) - 1)
        self._index = NearestNeighbors().fit(x)
        self._y = y
        nearest = y[self._index.kneighbors(n_neighbors=most, return_distance=False)]
        means = np.cumsum(nearest, axis=1) / np.arange(1, most + 1)
        self.k_ = min((k for k in NEIGHBOURS if k <= most), key=lambda k: percentage_error(means[:, k - 1], y))
        return self

    def predict(self, x: Array) -> Array:
        """One number for each row."""
        nearest = self._index.kneighbors(x, n_neighbors=self.k_, return_distance=False)
        means: Array = self._y[nearest].mean(axis=1)
        return means


class Scaled:
    """A model of features between 0 and 1; the scale is that of what it learned."""

    def __init__(self, model: Model) -> None:
        self._scaler, self._model = MinMaxScaler(), model

    def fit(self, x: Array, y: Array) -> Scaled:
        """Learn the scale, too."""
        with warnings.catch_warnings():
            # Features that nearly say the same make the Lasso slow; what is left is a few 1e-4 of the variance.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._scaler.fit_transform(x), y)
        return self

    def predict(self, x: Array) -> Array:
        """One number for each row."""
        return self._model.predict(self._scaler.transform(x))


def _best_of(model: Any, grid: Mapping[str, Sequence[float]]) -> Any:
    """The parameters that predict a fifth of what is learned best, having learned the rest."""
    split = ShuffleSplit(1, test_size=0.2, random_state=SEED)
    return GridSearchCV(model, dict(grid), scoring="neg_mean_absolute_percentage_error", cv=split)


def _forest() -> Any:
    return _best_of(RandomForestRegressor(max_depth=DEPTH, random_state=SEED), {"n_estimators": TREES})


def _svr() -> Any:
    return _best_of(_standardised(SVR()), {"regressor__C": PENALTIES, "regressor__epsilon": TUBES})


def _standardised(model: Any) -> Any:
    """Times of milliseconds and sizes of kilobytes alike: the defaults of a model mean numbers around 1."""
    return TransformedTargetRegressor(model, transformer=StandardScaler())


MODELS: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        "ols": lambda: Scaled(LinearRegression()),
        "lasso": lambda: Scaled(_standardised(LassoCV(alphas=np.logspace(-4, 0, 20), cv=5))),
        "knn": lambda: Scaled(Neighbours()),
        "forest": lambda: Scaled(_forest()),
        "svr": lambda: Scaled(_svr()),
    }
)
