"""Robust, nonnegative, relative: what the fit promises, on made-up photos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.servermodel.fit import MOST_SD, fit_seconds, server_model

TRUE = np.array([0.002, 0.004, 0.003])
GRID = np.column_stack([np.ones(40), np.geomspace(0.05, 5, 40), np.geomspace(0.2, 20, 40)])


def photos(rng, count):
    megabytes = np.exp(rng.uniform(np.log(0.02), np.log(5), count))
    return np.column_stack([np.ones(count), megabytes, megabytes * rng.uniform(2, 8, count)])


def off(coefficients, reference=TRUE):
    """The largest relative difference of predictions, from small photos to large."""
    return np.max(np.abs(GRID @ coefficients / (GRID @ np.asarray(reference)) - 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factors", [[100.0], [0.01], [0.0], [20.0, 100.0, 0.01]], ids=str)
def test_a_tenth_of_wild_samples_does_not_move_it(seed, factors):
    rng = np.random.default_rng(seed)
    features = photos(rng, 512)
    seconds = features @ TRUE * np.exp(rng.normal(0, 0.1, 512))
    calm = fit_seconds(features, seconds)
    wild = rng.random(512) < 0.1
    seconds[wild] *= rng.choice(factors, wild.sum())
    shaken = fit_seconds(features, seconds)
    assert off(calm.coefficients) < 0.06
    assert off(shaken.coefficients) < 0.06
    assert off(shaken.coefficients, calm.coefficients) < 0.03
    assert shaken.relative_sd == pytest.approx(0.1, rel=0.2)


def test_one_far_off_photo_has_no_lever():
    rng = np.random.default_rng(1)
    features = photos(rng, 64)
    seconds = features @ TRUE * np.exp(rng.normal(0, 0.1, 64))
    features[0] = (1, 100, 1)
    assert off(fit_seconds(features, seconds).coefficients) < 0.1


def test_relative_errors_count_and_so_small_photos_do():
    rng = np.random.default_rng(2)
    features = np.vstack([photos(rng, 256), np.tile([1, 0.01, 0.05], (256, 1))])
    seconds = features @ TRUE * np.exp(rng.normal(0, 0.2, 512))
    small = features[-1] @ fit_seconds(features, seconds).coefficients
    assert small == pytest.approx(features[-1] @ TRUE, rel=0.03)


def test_a_feature_that_does_not_matter_gets_nothing_rather_than_less():
    rng = np.random.default_rng(3)
    features = photos(rng, 200)
    seconds = 0.02 - 0.001 * features[:, 1]  # the larger, the faster: nothing that time can do for long
    fit = fit_seconds(features, seconds)
    assert min(fit.coefficients) >= 0
    assert fit.coefficients[0] == pytest.approx(0.019, rel=0.1)


def test_features_that_grow_together_share():
    features = np.column_stack([np.ones(64), np.full(64, 2.0), np.full(64, 3.0)])
    fit = fit_seconds(features, np.full(64, 0.012))
    assert features[0] @ fit.coefficients == pytest.approx(0.012, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1e3)] * 4), min_size=16, max_size=64))
def test_whatever_was_measured_the_model_can_be_published(samples):
    try:
        model = server_model(samples)
    except ValueError:  # the solver gave up
        return
    numbers = [*model["prepare_s"], model["fixed_s"]]
    assert all(np.isfinite(numbers))
    assert min(numbers) >= 0
    assert 0 <= model["prepare_relative_sd"] <= MOST_SD
    assert 0 <= model["fixed_relative_sd"] <= MOST_SD
    assert model["samples"] == len(samples)


def test_rows_that_are_no_samples_are_left_out():
    rng = np.random.default_rng(4)
    features = photos(rng, 100)
    good = np.column_stack([features[:, 1:], features @ TRUE, rng.normal(0.01, 0.001, 100)]).tolist()
    bad = [[1.0], [float("nan")] * 4, [1.0, float("inf"), 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, None]]
    model = server_model(good + bad)
    assert model == server_model(good)
    assert model["samples"] == 100
    assert off(model["prepare_s"]) < 0.01
    assert model["fixed_s"] == pytest.approx(0.01, rel=0.05)
    with pytest.raises(ValueError, match="no sample"):
        server_model(bad)
