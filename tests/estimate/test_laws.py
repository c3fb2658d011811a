"""Every estimator keeps every law; and the laws notice estimators that do not."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.estimate import laws
from midspan.estimate.best import BestOf
from midspan.estimate.delta import DeltaLink
from midspan.estimate.harmonic import HarmonicLink
from midspan.estimate.laws import LAWS, Subject
from midspan.estimate.linear import OnlineLinear
from midspan.estimate.link import LinkModel
from midspan.estimate.retrained import RetrainedLinear
from midspan.estimate.robust import RobustSeconds

SETS = ((0, 1), (0, 1, 2))
SIDES = ((0, 3), (0, 1, 2, 3, 4))


def payload(rng):
    return (rng.uniform(2e4, 1e6),)


def photo(rng):
    return (1.0, rng.uniform(0.02, 4.0), rng.uniform(0.1, 12.0))


def photo_without_constant(rng):
    return photo(rng)[1:]


def sides(rng):
    """1, width and height in 10^3, of one aspect; and what the work depends on, megabytes and megapixels."""
    constant, megabytes, megapixels = photo(rng)
    width = (megapixels * 4 / 3) ** 0.5
    return constant, width, 0.75 * width, megabytes, megapixels


def transfer_s(x):
    return 0.05 + 1e-6 * x[0]


def rate_alone_s(x):
    """The harmonic mean knows no round trip."""
    return 1e-6 * x[0]


def work_s(x):
    return 0.03 + 0.1 * x[-2] + 0.01 * x[-1]


SUBJECTS = [
    # It may be of any quantity: weights, and so predictions, may be negative.
    Subject("OnlineLinear", lambda: OnlineLinear((0.0,) * 3, 1e-6, forgetting=0.999), photo, work_s, signed=True),
    Subject("RobustSeconds", lambda: RobustSeconds((0.01,) * 3, 1e-4), photo, work_s, timing="argument"),
    Subject("BestOf", lambda: BestOf((0.01,) * 3, (1e-4,) * 3, SETS), photo, work_s, timing="argument"),
    # What the SDK has for the device: features that nearly, and here exactly, say the same.
    Subject("BestOf of sides", lambda: BestOf((0.001,) * 5, (1e-4,) * 5, SIDES), sides, work_s, timing="argument"),
    Subject("RobustSeconds of sides", lambda: RobustSeconds((0.001,) * 5, 1e-4), sides, work_s, timing="argument"),
    Subject("LinkModel", LinkModel, payload, transfer_s, timing="feature"),
    Subject("RetrainedLinear", lambda: RetrainedLinear(2), photo_without_constant, work_s),
    Subject("DeltaLink", DeltaLink, payload, transfer_s, timing="feature"),
    Subject("HarmonicLink", HarmonicLink, payload, rate_alone_s, timing="feature"),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_estimator_keeps_every_law(subject, law):
    law(subject)


class Mean(RetrainedLinear):
    """Predicts well enough, and each subclass breaks one law."""

    __slots__ = ()

    def __init__(self, features=2, **options):
        super().__init__(features, **options)

    def clone(self):
        return type(self)()


class ReturnsNothing(Mean):
    def learn_one(self, features, seconds):
        super().learn_one(features, seconds)


class LearnsBeforeItChecks(Mean):
    def learn_one(self, features, seconds):
        self.retrained_ += 1
        return super().learn_one(features, seconds)


class RaisesAnything(Mean):
    def learn_one(self, features, seconds):
        return super().learn_one([value + 0 for value in features], seconds)


class ClonesWhatItKnows(Mean):
    def clone(self):
        return self


class ForgetsToSave(Mean):
    def to_dict(self):
        return super().to_dict() | {"measured": []}


class TrustsStates(Mean):
    @classmethod
    def from_dict(cls, state):
        model = cls()
        model.intercept_ = state["intercept"]
        return model


class GoesBelowZero(Mean):
    def predict_one(self, features):
        return super().predict_one(features) - 1e-6


class LearnsWhilePredicting(Mean):
    def predict_one(self, features):
        self.intercept_ += 1e-9
        return super().predict_one(features)


class KnowsSeconds(Mean):
    def sd_one(self, features):
        return 0.05


class IsOff(Mean):
    def predict_one(self, features):
        return 1.05 * super().predict_one(features)


class IsFarOff(Mean):
    def predict_one(self, features):
        return 1.2 * super().predict_one(features)


class IsTooSure(Mean):
    def sd_one(self, features):
        return 0.3 * super().sd_one(features)


class IsTooModest(Mean):
    def sd_one(self, features):
        return 5 * super().sd_one(features)


class HasChances(Mean):
    def learn_one(self, features, seconds):
        return super().learn_one(features, seconds + time.perf_counter() % 1e-6)


class KeepsAll(Mean):
    def __init__(self):
        super().__init__(window=2_000)


BROKEN = [
    (ReturnsNothing, laws.learning_returns_self),
    (LearnsBeforeItChecks, laws.bad_measurements_change_nothing),
    (RaisesAnything, laws.bad_measurements_change_nothing),
    (ClonesWhatItKnows, laws.clones_have_learned_nothing),
    (ForgetsToSave, laws.what_was_saved_goes_on_alike),
    (TrustsStates, laws.damaged_states_are_refused),
    (GoesBelowZero, laws.predictions_are_finite_and_never_negative),
    (LearnsWhilePredicting, laws.predicting_changes_nothing),
    (KnowsSeconds, laws.units_are_kept),
    (IsOff, laws.noiseless_data_are_described),
    (IsFarOff, laws.noise_averages_out),
    (IsTooSure, laws.uncertainty_is_honest),
    (IsTooModest, laws.uncertainty_is_honest),
    (HasChances, laws.the_same_lessons_make_the_same_model),
    (KeepsAll, laws.states_stay_small),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_laws_notice(broken, law):
    with pytest.raises(AssertionError):
        law(Subject("broken", broken, photo_without_constant, work_s))


def test_no_law_notices_nothing():
    assert {law for _, law in BROKEN} == set(LAWS)


seconds = st.floats(0, 1e4)
sizes = st.floats(0, 1e9)
measurements = st.lists(st.tuples(sizes, seconds, st.floats(0, 1e9)), max_size=40)
# The line of the other two may fall: least squares weighs as it will, and a delta below 0 takes off for each byte.
rising = pytest.mark.parametrize("make", [LinkModel, HarmonicLink])
links = pytest.mark.parametrize("make", [LinkModel, DeltaLink, HarmonicLink])


@rising
@settings(max_examples=200, deadline=None)
@given(data=measurements, size=sizes, more=sizes)
def test_more_bytes_never_take_less_time(make, data, size, more):
    model = make()
    for at_bytes, value, at_s in data:
        model.learn_one((at_bytes, at_s), value)
        assert model.predict_one((size + more, at_s)) >= model.predict_one((size, at_s))


@links
@settings(max_examples=200, deadline=None)
@given(data=measurements, size=sizes, at_s=st.floats(-1e9, 1e9))
def test_whatever_a_link_has_learned_its_predictions_are_durations(make, data, size, at_s):
    model = make()
    for at_bytes, value, learned_at_s in data:
        model.learn_one((at_bytes, learned_at_s), value)
        assert 0 <= model.predict_one((size, at_s)) < math.inf
        assert 0 <= model.sd_one((size, at_s)) < math.inf


@links
@settings(max_examples=100, deadline=None)
@given(data=measurements)
def test_whatever_a_link_has_learned_can_be_saved(make, data):
    model = make()
    for at_bytes, value, at_s in data:
        model.learn_one((at_bytes, at_s), value)
    state = model.to_dict()
    assert make.from_dict(json.loads(json.dumps(state))).to_dict() == state
