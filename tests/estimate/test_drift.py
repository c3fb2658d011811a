"""`Drift` foretells what deviates: while it lasts, and no longer."""

from __future__ import annotations

import math
import random

import pytest

from midspan.errors import InvalidValueError
from midspan.estimate.drift import LIMIT, Drift

TWICE = math.log(2)


def told(drift, deviations, *, at_s=0.0, every_s=5.0):
    for turn, deviation in enumerate(deviations):
        drift.learn_one(at_s + turn * every_s, deviation)
    return at_s + len(deviations) * every_s


def noise(rng, count, level=0.0, sd=0.1):
    return [rng.gauss(level, sd) for _ in range(count)]


def test_nothing_learned_nothing_deviates():
    assert Drift().level(0.0) == 0.0


def test_a_shift_is_followed():
    drift, rng = Drift(), random.Random(1)
    at_s = told(drift, noise(rng, 50))
    assert abs(drift.level(at_s)) < 0.1
    at_s = told(drift, noise(rng, 10, TWICE), at_s=at_s)
    assert drift.level(at_s) == pytest.approx(TWICE, abs=0.2)
    at_s = told(drift, noise(rng, 150, TWICE), at_s=at_s)
    expected, lasting = drift.learn_one(at_s, TWICE)
    assert expected == pytest.approx(TWICE, abs=0.1)
    assert lasting == pytest.approx(TWICE, abs=0.1)


def test_after_idle_time_the_usual_is_expected_again():
    drift = Drift()
    at_s = told(drift, noise(random.Random(2), 150, TWICE))
    levels = [drift.level(at_s + idle_s) for idle_s in (0, 60, 600, 6_000, 60_000)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(TWICE, abs=0.1)
    assert levels[-1] < 0.01


def test_isolated_outliers_are_shrugged_off():
    """Where one in ten is ten times too long and the next is not, the next is expected to be usual."""
    drift, rng = Drift(), random.Random(3)
    at_s = 0.0
    for turn in range(300):
        at_s = told(drift, [math.log(10) if turn % 10 == 9 else rng.gauss(0, 0.1)], at_s=at_s)
    assert drift.level(at_s) < 0.35


def test_what_lasts_for_one_request_is_told_from_what_lasts_for_an_hour():
    brief, lasting, rng = Drift(), Drift(), random.Random(4)
    levels = [rng.gauss(0, 0.5) for _ in range(40)]
    brief_s = told(brief, [rng.gauss(0, 0.5) for _ in range(400)])
    lasting_s = told(lasting, [level + rng.gauss(0, 0.02) for level in levels for _ in range(10)])
    brief.learn_one(brief_s, 1.0)
    lasting.learn_one(lasting_s, 1.0)
    assert brief.level(brief_s + 5) < 0.4
    assert lasting.level(lasting_s + 5) > 0.6


def test_a_mixture_is_hardly_worse_than_its_best_expert():
    """Of white noise nothing can be foretold; of a level that wanders, nearly all."""
    for step, at_most in ((0.0, 0.088), (0.1, 0.17)):
        drift, rng, level, missed = Drift(), random.Random(5), 0.0, []
        for turn in range(2_000):
            level = 0.98 * level + rng.gauss(0, step)
            deviation = level + rng.gauss(0, 0.1)
            missed.append(abs(drift.learn_one(turn * 5.0, deviation).expected - deviation))
        assert sum(missed) / len(missed) < at_most


def test_time_that_runs_backwards_stands_still():
    drift = Drift()
    at_s = told(drift, [TWICE] * 20)
    before = drift.level(at_s - 5)
    assert drift.level(-1e9) == before
    drift.learn_one(-1e9, TWICE)
    assert drift.level(-1e9) == pytest.approx(TWICE, abs=0.1)


@pytest.mark.parametrize("deviation", [1e9, -1e9])
def test_no_deviation_counts_beyond_the_limit(deviation):
    drift = Drift()
    at_s = told(drift, [deviation] * 50)
    assert LIMIT * 0.9 < abs(drift.level(at_s)) <= LIMIT


def test_how_good_experts_are_is_saved_and_what_deviates_is_not():
    drift = Drift()
    at_s = told(drift, noise(random.Random(6), 50, TWICE))
    again = Drift.from_dict(drift.to_dict())
    assert again.to_dict() == drift.to_dict()
    assert again.level(at_s) == 0.0


@pytest.mark.parametrize("state", [
    None, [], {}, {"errors": None}, {"errors": []}, {"errors": [0.1] * 99}, {"errors": [math.nan] * 4},
    {"errors": [-0.1, 0.1, 0.1, 0.1]}, {"errors": [1e9] * 4}, {"errors": ["0.1"] * 4},
])  # fmt: skip
def test_damaged_states_are_refused(state):
    with pytest.raises(InvalidValueError):
        Drift.from_dict(state)
