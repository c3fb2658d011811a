"""Least squares, checked against numpy's; and when it is trained again."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.errors import InvalidValueError
from midspan.estimate.retrained import RetrainedLinear


def learned(model, rows, truth, *, rng=None, noise=0.0):
    for x in rows:
        model.learn_one(x, truth(x) * (rng.lognormvariate(0, noise) if rng else 1.0))
    return model


@settings(max_examples=60, deadline=None)
@given(features=st.integers(1, 4), seed=st.integers(0, 2**32), offset=st.sampled_from([0.0, 1e3, 1e6]))
def test_the_line_is_the_one_of_least_squares(features, seed, offset):
    """Features far from 0 too: normal equations would lose all digits."""
    rng, size = random.Random(seed), 30
    model = RetrainedLinear(features, least=size, window=size)
    rows = [[offset + rng.uniform(0, 10) for _ in range(features)] for _ in range(size)]
    ys = [rng.uniform(1, 2) for _ in rows]
    for x, y in zip(rows, ys, strict=True):
        model.learn_one(x, y)
    means = np.mean(rows, axis=0)
    centred = np.column_stack([np.ones(size), np.array(rows) - means])
    solution = np.linalg.lstsq(centred, np.array(ys), rcond=None)[0]
    assert model.weights_ == pytest.approx(solution[1:], rel=1e-6, abs=1e-9)
    for x in rows:
        expected = solution[0] + (np.array(x) - means) @ solution[1:]
        assert model.predict_one(x) == pytest.approx(max(expected, 0.0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("row", [
    lambda a, b: (a, 5.0, b), lambda a, b: (a, a, b), lambda a, b: (a, 2 * a + 1, b), lambda a, b: (0.0, a, b),
    lambda a, b: (a, a + b, b), lambda a, b: (a, 1e-300 * b, b),
])  # fmt: skip
def test_features_that_say_nothing_new_are_left_out(row):
    rng = random.Random(1)
    drawn = [(rng.uniform(0, 4), rng.uniform(0, 9)) for _ in range(50)]
    model = RetrainedLinear(3)
    for a, b in drawn:
        model.learn_one(row(a, b), 0.1 + 0.2 * a + 0.05 * b)
    assert model.predict_one(row(1.0, 1.0)) == pytest.approx(0.35)


def test_the_same_measurement_again_and_again():
    model = learned(RetrainedLinear(2), [(3.0, 4.0)] * 300, lambda x: 0.5)
    assert model.predict_one((3.0, 4.0)) == pytest.approx(0.5)
    assert model.predict_one((9.0, 9.0)) == pytest.approx(0.5)


def test_before_there_is_a_line_it_predicts_the_prior_and_then_the_mean():
    model = RetrainedLinear(1, prior=0.07)
    assert model.predict_one((1.0,)) == 0.07
    model.learn_one((1.0,), 0.2).learn_one((2.0,), 0.4)
    assert model.predict_one((99.0,)) == pytest.approx(0.3)
    model.learn_one((3.0,), 0.6)
    assert model.predict_one((4.0,)) == pytest.approx(0.8)


def test_while_it_is_as_good_as_in_training_it_is_not_trained_again():
    rng = random.Random(3)
    rows = [(rng.uniform(0, 4),) for _ in range(500)]
    assert learned(RetrainedLinear(1), rows, lambda x: 0.1 + 0.2 * x[0]).retrained_ == 0


def test_once_it_is_worse_it_is_trained_again_on_the_window():
    rng = random.Random(4)
    rows = [(rng.uniform(0, 4),) for _ in range(100)]
    model = learned(RetrainedLinear(1, window=50, least=50), rows, lambda x: 0.1 + 0.2 * x[0], rng=rng, noise=0.1)
    before = model.retrained_
    learned(model, rows, lambda x: 0.5 + 0.6 * x[0], rng=rng, noise=0.1)
    assert model.retrained_ > before
    # 100 measurements after the change it is half way to 1.7, and stays there: the rule's weakness. It was trained when
    # half of the window was from before, and nothing that came since was as bad as that line in training.
    assert 0.7 < model.predict_one((2.0,)) < 1.2


@pytest.mark.parametrize("arguments", [
    {"features": 0}, {"features": 17}, {"features": True}, {"window": 2}, {"window": 10**9}, {"least": 2},
    {"least": 999}, {"recent": 0}, {"prior": -1.0}, {"prior": float("nan")},
])  # fmt: skip
def test_constructors_check(arguments):
    with pytest.raises(InvalidValueError):
        RetrainedLinear(**({"features": 1} | arguments))
