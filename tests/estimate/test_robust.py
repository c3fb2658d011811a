"""What `RobustSeconds` promises beyond the laws."""

from __future__ import annotations

import math
import random

import pytest

from midspan.errors import InvalidValueError
from midspan.estimate.robust import RobustSeconds


def test_another_prior_decides_where_nothing_was_measured():
    model = RobustSeconds((0.01, 0.02), 0.01)
    assert model.rebase((0.03, 0.5)).predict_one((1.0, 2.0)) == pytest.approx(0.03 + 1.0)


def test_another_prior_changes_little_where_much_was_measured():
    model, rng = RobustSeconds((0.01, 0.02), 0.01), random.Random(2)
    for _ in range(100):
        x = rng.uniform(0.0, 4.0)
        model.learn_one((1.0, x), (0.05 + 0.1 * x) * rng.uniform(0.9, 1.1))
    before = model.predict_one((1.0, 2.0))
    assert model.rebase((5.0, 5.0)).predict_one((1.0, 2.0)) == pytest.approx(before, rel=0.1)


def test_another_prior_counts_from_the_start():
    early, late = RobustSeconds((0.01, 0.02), 0.01), RobustSeconds((0.01, 0.02), 0.01)
    early.rebase((0.02, 0.1))
    for model in (early, late):
        for _ in range(3):
            model.learn_one((1.0, 0.1), 0.05)
    late.rebase((0.02, 0.1))
    assert late.predict_one((1.0, 3.0)) == pytest.approx(early.predict_one((1.0, 3.0)), rel=0.1)


@pytest.mark.parametrize("prior", [(1.0,), (1.0, -1.0), (float("nan"), 1.0), (1.0, 2.0, 3.0)])
def test_a_prior_that_cannot_be_is_refused(prior):
    model = RobustSeconds((0.01, 0.02), 0.01)
    with pytest.raises(InvalidValueError):
        model.rebase(prior)
    assert model.predict_one((1.0, 1.0)) == pytest.approx(0.03)


def test_the_prior_has_its_chances():
    model = RobustSeconds((0.01,), 1e-4, chances=3)
    for _ in range(2):
        assert model.learn_one((1.0,), 1.0).predict_one((1.0,)) == pytest.approx(0.01)
    assert model.learn_one((1.0,), 1.0).predict_one((1.0,)) > 0.5


def test_a_bad_minute_passes_and_does_not_spoil_the_usual():
    model, rng = RobustSeconds((0.01, 0.02), 0.01), random.Random(5)

    def learn(count, factor, start_s):
        for i in range(count):
            x = rng.uniform(0.5, 4.0)
            model.learn_one((1.0, x), factor * (0.05 + 0.1 * x) * rng.uniform(0.9, 1.1), start_s + i)

    learn(100, 1.0, 0.0)
    learn(5, 4.0, 100.0)
    assert model.predict_one((1.0, 2.0), 105.0) == pytest.approx(1.0, rel=0.3)
    assert model.predict_one((1.0, 2.0), 50_000.0) == pytest.approx(0.25, rel=0.3)


def test_priors_that_alternate_do_not_add_up():
    model = RobustSeconds((0.01, 0.02, 0.0), 1e-4)
    for turn in range(1000):
        model.rebase((1.0, 30.0, 9.0) if turn % 2 else (0.0, 0.0, 0.0))
        model.learn_one((1.0, 0.1, 0.2), 0.05)
    assert model.predict_one((1.0, 1.0, 1.0)) <= 100.0


def test_another_world_under_the_same_name_is_learned_soon():
    model, rng = RobustSeconds((0.01, 0.02), 1e-4), random.Random(6)

    def error(count, fixed_s, per_unit_s):
        total = 0.0
        for _ in range(count):
            x = rng.uniform(0.1, 10.0)
            seconds = (fixed_s + per_unit_s * x) * rng.lognormvariate(0.0, 0.1)
            total += abs(math.log(model.predict_one((1.0, x)) / seconds))
            model.learn_one((1.0, x), seconds)
        return total / count

    usual = error(300, 0.05, 0.1)
    error(50, 0.2, 2.0)
    assert error(100, 0.2, 2.0) < 2 * usual
