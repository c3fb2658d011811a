"""Laws that every estimator keeps, whatever it is fed; and what each one promises beyond them."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.errors import InvalidValueError
from midspan.estimate.linear import OnlineLinear
from midspan.estimate.link import LinkModel
from midspan.estimate.robust import RobustSeconds

seconds = st.floats(0, 1e4)
sizes = st.floats(0, 1e9)
measurements = st.lists(st.tuples(sizes, seconds), max_size=40)


def made(kind):
    if kind == "link":
        return LinkModel()
    return RobustSeconds((0.01, 0.001), 0.01)


def learn(model, size, value):
    if isinstance(model, LinkModel):
        return model.learn_one(size, value)
    return model.learn_one((1.0, size / 1e6), value)


def predict(model, size):
    return model.transfer_s(size) if isinstance(model, LinkModel) else model.predict_one((1.0, size / 1e6))


kinds = pytest.mark.parametrize("kind", ["link", "seconds"])


@kinds
@settings(max_examples=200, deadline=None)
@given(data=measurements, at=sizes, more=sizes)
def test_predictions_are_finite_never_negative_and_never_fall(kind, data, at, more):
    model = made(kind)
    for size, value in data:
        learn(model, size, value)
        assert 0 <= predict(model, at) < math.inf
        assert predict(model, at + more) >= predict(model, at)


@kinds
@settings(max_examples=100, deadline=None)
@given(data=measurements, later=measurements, at=sizes)
def test_what_was_saved_goes_on_like_the_original(kind, data, later, at):
    model = made(kind)
    for size, value in data:
        learn(model, size, value)
    again = type(model).from_dict(json.loads(json.dumps(model.to_dict())))
    for size, value in later:
        learn(model, size, value)
        learn(again, size, value)
    assert predict(again, at) == predict(model, at)


@kinds
@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, 1e7])
def test_absurd_measurements_are_refused(kind, value):
    model = made(kind)
    before = model.to_dict()
    with pytest.raises(InvalidValueError):
        learn(model, 1e5, value)
    assert model.to_dict() == before


LINKS = [(0.002, 1e-8), (0.01, 1e-7), (0.05, 1e-6), (0.1, 8e-6)]  # LAN, Wi-Fi, LTE, 3G


@pytest.mark.parametrize(("rtt_s", "s_per_byte"), LINKS)
def test_a_link_recovers_the_true_line(rtt_s, s_per_byte):
    rng, link = random.Random(5), LinkModel()
    for _ in range(60):
        size = rng.choice([2e4, 2e5, 2.7e6])
        link.learn_one(size, rtt_s + size * s_per_byte)
    assert link.rtt_s == pytest.approx(rtt_s, rel=0.1)
    assert link.s_per_byte == pytest.approx(s_per_byte, rel=0.1)


@pytest.mark.parametrize(("rtt_s", "s_per_byte"), LINKS)
def test_a_noisy_link_is_near_after_ten_exchanges(rtt_s, s_per_byte):
    rng, link = random.Random(6), LinkModel()
    for _ in range(10):
        size = rng.choice([2e4, 2e5, 2.7e6])
        link.learn_one(size, (rtt_s + size * s_per_byte) * rng.lognormvariate(0, 0.05))
    for size in (2e4, 2.7e6):
        assert link.transfer_s(size) == pytest.approx(rtt_s + size * s_per_byte, rel=0.25)


@pytest.mark.parametrize("before", LINKS)
@pytest.mark.parametrize("after", LINKS)
def test_a_change_of_the_network_is_followed_within_a_few_exchanges(before, after):
    rng, link = random.Random(7), LinkModel()
    for rtt_s, s_per_byte in [before] * 20 + [after] * 6:
        size = rng.choice([2e4, 2e5, 2.7e6])
        link.learn_one(size, (rtt_s + size * s_per_byte) * rng.lognormvariate(0, 0.05))
    assert link.transfer_s(2.7e6) == pytest.approx(after[0] + 2.7e6 * after[1], rel=0.5)


@pytest.mark.parametrize(("rtt_s", "s_per_byte"), LINKS)
def test_one_wild_exchange_is_passed_over(rtt_s, s_per_byte):
    link = LinkModel()
    for _ in range(10):
        link.learn_one(1e5, rtt_s + 1e5 * s_per_byte)
    before = link.transfer_s(1e5)
    link.learn_one(1e5, 30.0)
    assert link.transfer_s(1e5) == pytest.approx(before)
    link.learn_one(1e5, rtt_s + 1e5 * s_per_byte)
    assert link.transfer_s(1e5) == pytest.approx(before, rel=0.01)


def test_the_units_of_a_link():
    """8 Mbit/s is a microsecond a byte; a megabyte takes a second."""
    link = LinkModel(rtt_s=0.0, s_per_byte=1e-6)
    assert link.transfer_s(1_000_000) == pytest.approx(1.0)
    assert link.s_per_byte == pytest.approx(1e-6)


def test_small_exchanges_alone_leave_large_ones_in_reason():
    """Only 25 kB over 3G were seen: 2.7 MB must be predicted slower than on Wi-Fi, and not slower than any link is."""
    link = LinkModel()
    for _ in range(20):
        link.learn_one(25e3, 0.3)
    assert link.transfer_s(25e3) == pytest.approx(0.3, rel=0.02)
    assert 0.5 < link.transfer_s(2.7e6) < 60


def test_noise_does_not_bias_predictions():
    """The mean of noisy durations is predicted, not the mean of the short ones."""
    rng, model = random.Random(8), RobustSeconds((0.001,), 0.01)
    predicted = []
    for turn in range(400):
        model.learn_one((1.0,), 0.02 * rng.lognormvariate(0, 0.4))
        predicted += [model.predict_one((1.0,))] if turn > 50 else []
    assert sum(predicted) / len(predicted) == pytest.approx(0.02 * math.exp(0.08), rel=0.1)


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


damage = st.sampled_from([None, [], {}, "x", math.nan, math.inf, -1, 1e300, True, [[1]], [math.nan], [1.0] * 99])


@kinds
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_state_is_refused_or_harmless(kind, data):
    model = made(kind)
    learn(model, 1e5, 0.1)
    state = model.to_dict()
    table = data.draw(st.sampled_from([state, state["linear"]]))
    key = data.draw(st.sampled_from(sorted(table)))
    table[key] = data.draw(damage)
    try:
        again = type(model).from_dict(state)
    except InvalidValueError:
        return
    for value in (0.1, 0.2, 0.3):
        learn(again, 1e5, value)
        assert 0 <= predict(again, 1e5) < math.inf


def test_a_covariance_that_is_none_is_not_believed():
    state = OnlineLinear([1.0, 1.0]).to_dict()
    state["covariance"] = [[1.0, -9.0], [-9.0, 1.0]]
    model = OnlineLinear.from_dict(state)
    for _ in range(200):
        model.learn_one([1.0, 1.0], 3.0)
    assert model.predict_one([1.0, 1.0]) == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("state", [None, [], {}, "x", 5])
def test_what_is_no_state_is_refused(state):
    for kind in (OnlineLinear, RobustSeconds, LinkModel):
        with pytest.raises(InvalidValueError):
            kind.from_dict(state)
