"""What `OnlineLinear` promises beyond the laws."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.errors import InvalidValueError
from midspan.estimate.linear import OnlineLinear

weights = st.lists(st.floats(-5, 5), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(weights, st.integers(0, 2**32), st.floats(0.9, 1.0))
def test_least_squares_recovers_true_weights(true, seed, forgetting):
    rng = random.Random(seed)
    model = OnlineLinear([0.0] * len(true), 1e-6, forgetting=forgetting)
    for _ in range(80):
        x = [rng.uniform(-1, 1) for _ in true]
        model.learn_one(x, sum(a * b for a, b in zip(true, x, strict=True)))
    assert model.weights_ == pytest.approx(true, abs=1e-3)


def test_without_forgetting_it_is_ridge_regression():
    """One feature, by hand: w = (prior weight x mean + sum of x y) / (prior weight + sum of x²)."""
    model = OnlineLinear([2.0], 3.0, forgetting=1.0)
    for x, y in [(1.0, 5.0), (2.0, 3.0), (-1.0, 0.5)]:
        model.learn_one([x], y)
    assert model.weights_[0] == pytest.approx((3 * 2.0 + 5 + 6 - 0.5) / (3 + 1 + 4 + 1))


def test_a_weight_counts_like_so_many_measurements():
    one, many = OnlineLinear([0.0, 0.0], forgetting=1.0), OnlineLinear([0.0, 0.0], forgetting=1.0)
    one.learn_one([1.0, 2.0], 5.0, weight=3.0)
    for _ in range(3):
        many.learn_one([1.0, 2.0], 5.0)
    assert one.weights_ == pytest.approx(many.weights_)


def test_a_direction_that_is_never_measured_is_not_forgotten_into_nonsense():
    model = OnlineLinear([1.0, 1.0], 1.0, forgetting=0.9)
    for _ in range(1000):
        model.learn_one([1.0, 0.0], 2.0)
    assert model.weights_[1] == pytest.approx(1.0)
    assert model.covariance_[1][1] <= 1.0 + 1e-9


def test_before_anything_is_learned_the_prior_speaks():
    assert OnlineLinear([1.0, 2.0]).predict_one([1.0, 10.0]) == 21.0


@pytest.mark.parametrize("arguments", [
    {"prior_mean": []}, {"prior_mean": [1.0] * 17}, {"prior_mean": [math.nan]}, {"prior_mean": [math.inf]},
    {"prior_weight": 0.0}, {"prior_weight": -1.0}, {"prior_weight": [1.0, 1.0]}, {"forgetting": 0.0},
    {"forgetting": 1.01}, {"forgetting": math.nan}, {"prior_mean": [-1.0], "nonnegative": True},
])  # fmt: skip
def test_constructors_check(arguments):
    with pytest.raises(InvalidValueError):
        OnlineLinear(**({"prior_mean": [1.0]} | arguments))


@pytest.mark.parametrize(("x", "y", "weight"), [
    ([1.0], 1.0, 1.0), ([1.0, math.nan], 1.0, 1.0), ([1.0, 1.0], math.inf, 1.0), ([1.0, 1.0], 1.0, 0.0),
    ([1.0, "2"], 1.0, 1.0), ([1.0, True], 1.0, 1.0), ([1e300, 1.0], 1.0, 1.0),
])  # fmt: skip
def test_measurements_are_checked(x, y, weight):
    model = OnlineLinear([0.0, 0.0])
    with pytest.raises(InvalidValueError):
        model.learn_one(x, y, weight)
    assert model.seen_ == 0


def test_a_covariance_that_is_none_is_not_believed():
    state = OnlineLinear([1.0, 1.0]).to_dict()
    state["covariance"] = [[1.0, -9.0], [-9.0, 1.0]]
    model = OnlineLinear.from_dict(state)
    for _ in range(200):
        model.learn_one([1.0, 1.0], 3.0)
    assert model.predict_one([1.0, 1.0]) == pytest.approx(3.0, rel=0.01)
