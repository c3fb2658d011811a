"""A server may say anything about its own time; only what is finite, bounded and newer is believed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan_client.answer import ServerAnswer
from midspan_client.catalog import parse_catalog
from midspan_client.servermodel import MAX_S, NewestServerModel, ServerModel, parse_server_model, sent_server_model

GOOD = {
    "version": 7, "prepare_s": [0.002, 0.016, 0.008], "prepare_relative_sd": 0.12,
    "fixed_s": 0.0081, "fixed_relative_sd": 0.2, "samples": 512,
}  # fmt: skip


def report(model):
    return {"plugins": {"preprocess": {"server_model": model}}}


def test_a_model_predicts():
    model = parse_server_model({**GOOD, "wings": 2})
    assert model == ServerModel(7, (0.002, 0.016, 0.008), 0.12, 0.0081, 0.2, 512)
    assert model.prepare_s(0.5, 3.0) == pytest.approx(0.002 + 0.008 + 0.024)
    assert model.prepare_sd_s(0.5, 3.0) == pytest.approx(0.12 * 0.034)
    assert model.fixed_sd_s == pytest.approx(0.2 * 0.0081)


@pytest.mark.parametrize(("key", "value"), [
    ("version", 0), ("version", -1), ("version", 7.0), ("version", True), ("version", "7"), ("version", 2**60),
    ("prepare_s", [0.1, 0.1]), ("prepare_s", [0.1] * 4), ("prepare_s", 0.1), ("prepare_s", "abc"), ("prepare_s", {}),
    ("prepare_s", [-1e-9, 0.1, 0.1]), ("prepare_s", [0.1, math.nan, 0.1]), ("prepare_s", [0.1, 0.1, math.inf]),
    ("prepare_s", [0.1, 0.1, None]), ("prepare_s", [True, 0.1, 0.1]), ("prepare_s", [10**400, 0.1, 0.1]),
    ("prepare_s", [0.0, 20.0, 20.0]), ("prepare_s", [3601.0, 0.0, 0.0]),
    ("fixed_s", -0.1), ("fixed_s", 3601.0), ("fixed_s", math.nan), ("fixed_s", None),
    ("prepare_relative_sd", -0.1), ("prepare_relative_sd", math.inf), ("fixed_relative_sd", 11.0),
    ("samples", 0), ("samples", 0.5), ("samples", 10**10),
])  # fmt: skip
def test_absurd_models_are_rejected_and_the_cause_is_told(key, value):
    causes = []
    assert parse_server_model({**GOOD, key: value}, lambda cause, got: causes.append(cause)) is None
    assert len(causes) == 1
    assert causes[0].startswith(key)
    without = {name: entry for name, entry in GOOD.items() if name != key}
    assert parse_server_model(without) is None


NUMBERS = st.floats() | st.integers() | st.integers(0, 10) | st.floats(0, 100)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner),
    max_leaves=10,
)
NEARLY = st.fixed_dictionaries(
    {name: NUMBERS | JSON for name in GOOD if name != "prepare_s"}
    | {"prepare_s": st.lists(NUMBERS | JSON, min_size=2, max_size=4) | JSON}
)
CLOSE = st.builds(lambda key, value: {**GOOD, key: value}, st.sampled_from(sorted(GOOD)), JSON | st.lists(NUMBERS))


@given(JSON | NEARLY | CLOSE)
def test_whatever_comes_a_model_that_is_taken_predicts_sane_seconds(value):
    model = parse_server_model(json.loads(json.dumps(value)))
    newest = NewestServerModel().learn_one(value)
    assert newest.model_ == model == ServerAnswer(report(value)).server_model
    if model is None:
        return
    for megabytes, megapixels in ((0, 0), (0.1, 0.5), (100, 100)):
        assert 0 <= model.prepare_s(megabytes, megapixels) <= MAX_S
        assert math.isfinite(model.prepare_sd_s(megabytes, megapixels))
    assert 0 <= model.fixed_s <= MAX_S
    assert model.version >= 1


def test_only_newer_versions_are_taken(caplog):
    newest = NewestServerModel()
    for version, fixed_s in ((7, 0.1), (6, 0.2), (7, 0.3), (9, 0.4), (8, 0.5)):
        newest.learn_one({**GOOD, "version": version, "fixed_s": fixed_s})
        assert newest.model_.fixed_s == (0.1 if version < 9 and newest.model_.version < 9 else 0.4)
    newest.learn_one(parse_server_model({**GOOD, "version": 10}))
    assert newest.model_.version == 10
    assert not caplog.records, "workers that are a little behind are no fault"
    assert NewestServerModel.from_dict(newest.to_dict()).model_ is None


def test_each_cause_is_logged_once_and_the_good_model_stays(caplog):
    newest = NewestServerModel().learn_one(GOOD)
    for number in range(50):
        newest.learn_one({**GOOD, "version": 8 + number, "fixed_s": -1.0 - number})
        newest.learn_one({**GOOD, "version": 8 + number, "prepare_s": [math.inf, 0, 0]})
        newest.learn_one(None)
    assert [entry.levelname for entry in caplog.records] == ["WARNING"] * 2
    assert "fixed_s must be a number between 0 and 3600, got -1.0" in caplog.text
    assert newest.model_.version == 7


def test_the_catalog_has_models_too_and_drops_absurd_ones(caplog):
    bad = {**GOOD, "fixed_s": 1e9}
    rows = [{"name": "a", "server_model": GOOD}, {"name": "b", "server_model": bad}, {"name": "c", "server_model": bad}]
    catalog = parse_catalog({"variants": [*rows, {"name": "d", "server_model": None}, {"name": "e"}]})
    models = [variant.server_model for variant in catalog.variants]
    assert models == [parse_server_model(GOOD), None, None, None, None]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("told", [
    {}, {"plugins": 5}, {"plugins": {"preprocess": None}}, {"plugins": {"preprocess": {}}}, {"plugins": []},
])  # fmt: skip
def test_a_report_may_have_none(told):
    assert sent_server_model(told) is None
    assert ServerAnswer(told).server_model is None


def test_an_answer_tells_the_components_of_its_time():
    stages_s = {"queue": 0.1, "decode": 0.001, "prepare": 0.02, "run": 0.008, "other": 0.001}
    answer = ServerAnswer({"server_s": 0.13, "stages_s": stages_s})
    assert answer.prepare_s == pytest.approx(0.021)
    assert answer.fixed_s == pytest.approx(0.009)


@pytest.mark.parametrize("told", [
    {}, {"server_s": 0.1}, {"server_s": 0.1, "stages_s": []}, {"server_s": 0.1, "stages_s": {"decode": 0.01}},
    {"server_s": 0.1, "stages_s": {"decode": -1, "prepare": 0.1}},
    {"server_s": 0.1, "stages_s": {"decode": math.nan, "prepare": 0.1}},
])  # fmt: skip
def test_components_that_were_not_told_are_unknown(told):
    answer = ServerAnswer(told)
    assert answer.prepare_s is None
    assert answer.fixed_s is None


def test_parts_that_are_more_than_the_whole_leave_no_rest():
    answer = ServerAnswer({"server_s": 0.1, "stages_s": {"decode": 0.0, "prepare": 0.2}})
    assert answer.prepare_s == 0.2
    assert answer.fixed_s is None
