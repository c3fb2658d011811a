"""`BestOf` picks the features that describe what is measured."""

from __future__ import annotations

import random

import pytest

from midspan.errors import InvalidValueError
from midspan.estimate.best import BestOf

BYTES, ALL = (0, 1), (0, 1, 2, 3, 4)


def made():
    return BestOf((0.001, 0.0005, 0.0005, 0.0, 0.0), (1e-4,) * 5, (BYTES, ALL))


def photo(rng):
    """1; megabytes; megapixels, of which the same bytes can be many or few; width and height in 10^3."""
    megapixels = rng.uniform(0.3, 12.0)
    width = (megapixels * 4 / 3) ** 0.5
    return 1.0, megapixels * rng.uniform(0.05, 0.5), megapixels, width, megapixels / width


def learned(model, truth, *, measurements=150, noise=0.1, seed=1):
    rng = random.Random(seed)
    for second in range(measurements):
        x = photo(rng)
        model.learn_one(x, truth(x) * rng.lognormvariate(0, noise), second)
    return model


def test_bytes_alone_are_picked_where_they_are_the_truth():
    model = learned(made(), lambda x: 0.03 + 0.1 * x[1])
    assert model.subsets[model.best_] == BYTES


def test_pixels_are_picked_where_they_matter():
    model = learned(made(), lambda x: 0.01 + 0.01 * x[1] + 0.03 * x[2])
    assert model.subsets[model.best_] == ALL


def test_it_is_about_as_good_as_the_better_set():
    for truth in (lambda x: 0.03 + 0.1 * x[1], lambda x: 0.01 + 0.01 * x[1] + 0.03 * x[2]):
        model, rng = learned(made(), truth), random.Random(2)
        photos = [photo(rng) for _ in range(200)]
        missed = sum(abs(model.predict_one(x, 150.0) / truth(x) - 1) for x in photos) / len(photos)
        assert missed < 0.05


def test_when_the_truth_changes_so_does_the_choice():
    model = learned(made(), lambda x: 0.03 + 0.1 * x[1])
    learned(model, lambda x: 0.01 + 0.03 * x[2], measurements=400)
    assert model.subsets[model.best_] == ALL


@pytest.mark.parametrize("arguments", [
    {"subsets": ()}, {"subsets": ((),)}, {"subsets": ((0, 99),)}, {"subsets": ((0, -1),)}, {"subsets": ((0, True),)},
    {"subsets": ((0,),)}, {"prior_mean": (1.0,)}, {"prior_weight": (1.0,)},
])  # fmt: skip
def test_constructors_check(arguments):
    with pytest.raises(InvalidValueError):
        BestOf(**({"prior_mean": (0.1, 0.1), "prior_weight": (1.0, 1.0), "subsets": ((0, 1),)} | arguments))
