"""A clock that goes backwards, stands still or jumps: decisions go on, and nothing false is learned or logged."""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midspan_client import Client, Reply
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.session import MAX_ELAPSED_S

CATALOG = {
    "default": "lite0",
    "variants": [{"name": "lite0", "side_px": 224, "resize_px": 256, "classes": 1000, "server_s": {"run": 0.002}}],
}
REPORT = {"predictions": [{"index": 1, "label": "cat", "score": 0.9}], "variant": "lite0", "server_s": 0.004,
          "stages_s": {"queue": 0.0, "decode": 0.001, "prepare": 0.001, "run": 0.002}, "queue_max_s": 0.0}  # fmt: skip


class Canned:
    """TorchServe from memory, in no time unless `during` takes some."""

    def __init__(self, during=lambda: None):
        self.during = during

    def send(self, method, path, headers, body, *, idempotent=True):
        if "x-midspan-control" in {name.lower() for name in headers}:
            return Reply(200, {}, json.dumps(CATALOG).encode())
        self.during()
        return Reply(200, {}, json.dumps(REPORT).encode())

    def close(self):
        pass


class Engine:
    """No work at all."""

    def __init__(self, during=lambda: None):
        self.during = during

    def decode(self, data, at_least_px):
        self.during()
        return data

    def resize(self, image, resize_px, side_px):
        return image

    def encode(self, image, quality):
        return image[:1000]


MEASURED = ("work_s", "device_s", "send_s", "server_s", "prepare_s", "total_s")


def measured(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT {', '.join(MEASURED)}, teaches FROM decisions").fetchall()


def make(path, clock, during=lambda: None, work=lambda: None, providers=None):
    providers = providers or [OriginalProvider(), ResizedProvider(Engine(work))]
    return Client("http://unused", server="torchserve", transport=Canned(during), clock=clock, store=path,
                  providers=providers)  # fmt: skip


def numbers(state):
    if isinstance(state, dict | list):
        for entry in state.values() if isinstance(state, dict) else state:
            yield from numbers(entry)
    elif isinstance(state, float):
        yield state


steps = st.one_of(
    st.sampled_from([0.0, -1e-9, -1.0, 1e5, -1e5, 1e12, -1e12, 1e300, -1e300]),
    st.floats(-2.0, 2.0),
    st.floats(1e-6, 0.2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(-1e9, 1e9), st.lists(steps, min_size=1, max_size=60))
def test_a_hostile_clock(jpeg, start_s, jumps):
    now_s, turn = start_s, 0

    def clock():
        nonlocal now_s, turn
        now_s += jumps[turn % len(jumps)]
        turn += 1
        return now_s

    with tempfile.TemporaryDirectory(prefix="midspan-clock-") as directory:
        path = Path(directory, "s.sqlite")
        with make(path, clock) as client:
            for _ in range(6):
                answer = client.classify(jpeg)
                assert (answer.label, answer.degraded) == ("cat", "")
                assert 0 <= answer.total_s <= MAX_ELAPSED_S
                stages = answer.measured
                assert min(stages.device_s, stages.send_s, stages.server_s) >= 0
                assert stages.total_s == pytest.approx(answer.total_s)
            for models in client._memory._models.values():
                for model in models.values():
                    assert all(map(math.isfinite, numbers(model.to_dict())))
        rows = measured(path)
    assert len(rows) <= 6
    for *seconds, _ in rows:
        assert all(value is None or 0 <= value <= MAX_ELAPSED_S for value in seconds)
        assert seconds[-1] > 0


class Clock:
    """Stands still but for what is asked of it."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    def step(self, seconds):
        def take():
            self.now_s += seconds

        return take


def test_a_clock_that_stands_still_teaches_and_logs_nothing(jpeg, tmp_path, link_of):
    path = tmp_path / "s.sqlite"
    with make(path, Clock()) as client:
        for _ in range(3):
            answer = client.classify(jpeg)
            assert (answer.label, answer.total_s) == ("cat", 0.0)
            assert any("clock" in warning for warning in answer.warnings)
        assert link_of(client).model_.linear_.seen_ == 0
        assert all(model.seen_ == 0 for model in client._memory._models[""].values() if hasattr(model, "seen_"))
    assert measured(path) == []


@pytest.mark.parametrize("lie", [{}, {"server_s": 0.0, "stages_s": {"queue": 0.5}}])
def test_an_exchange_of_no_time_teaches_no_link(jpeg, tmp_path, link_of, monkeypatch, lie):
    path, clock = tmp_path / "s.sqlite", Clock()
    monkeypatch.setitem(globals(), "REPORT", {**REPORT, **lie})
    with make(path, clock, providers=[ResizedProvider(Engine(clock.step(0.02)))]) as client:
        for _ in range(3):
            assert client.classify(jpeg).warnings == ()
        assert link_of(client).model_.linear_.seen_ == 0
    assert [teaches for *_, teaches in measured(path)] == [0, 0, 0]


def test_a_jump_between_what_is_timed(jpeg, tmp_path, link_of):
    clock = Clock()

    class Jumpy(OriginalProvider):
        def execute(self, route, photo, session):
            answer = super().execute(route, photo, session)
            clock.now_s -= 0.03
            return answer

    with make(tmp_path / "s.sqlite", clock, clock.step(0.05), providers=[Jumpy()]) as client:
        answer = client.classify(jpeg)
        assert (len(answer.warnings), link_of(client).model_.linear_.seen_) == (1, 0)
        assert answer.measured.total_s == pytest.approx(answer.total_s)
    assert measured(tmp_path / "s.sqlite") == []


@pytest.mark.parametrize("jump_s", [-0.5, -1e6, 1e6])
@pytest.mark.parametrize("where", ["during", "work"])
def test_one_jump_costs_one_lesson(jpeg, tmp_path, link_of, jump_s, where):
    path, clock = tmp_path / "s.sqlite", Clock()
    steps_s = {"during": 0.05, "work": 0.02}
    takers = {name: (lambda name=name: clock.step(steps_s[name])()) for name in steps_s}
    with make(path, clock, **takers, providers=[ResizedProvider(Engine(takers["work"]))]) as client:
        for _ in range(5):
            assert client.classify(jpeg).warnings == ()
        learned = link_of(client).model_.linear_.seen_
        before = client.explain(jpeg).route
        steps_s[where] += jump_s
        assert len(client.classify(jpeg).warnings) == 1
        steps_s[where] -= jump_s
        assert link_of(client).model_.linear_.seen_ == learned > 0
        after = client.explain(jpeg).route
        assert (after.device_s, after.server_s) == pytest.approx((before.device_s, before.server_s), rel=0.01)
        assert client.classify(jpeg).warnings == ()
        assert link_of(client).model_.linear_.seen_ == learned + 1
    assert len(measured(path)) == 6


def test_a_clock_that_fails_once_costs_no_answer(jpeg, tmp_path):
    """Whenever it is: also between the end of an exchange and what is noted as its end."""
    warnings, calls = set(), 0

    def clock():
        nonlocal calls
        calls += 1
        return math.nan if calls == bad else calls * 0.01

    for bad in range(1, 100):
        calls = 0
        with make(tmp_path / f"{bad}.sqlite", clock, providers=[OriginalProvider()]) as client:
            for _ in range(3):
                answer = client.classify(jpeg)
                assert (answer.label, answer.degraded) == ("cat", "")
                warnings |= {warning.partition(":")[0] for warning in answer.warnings}
            for models in client._memory._models.values():
                for model in models.values():
                    assert all(map(math.isfinite, numbers(model.to_dict())))
        if calls < bad:
            break
    assert calls < bad
    assert "the link could not learn" in warnings


def test_a_clock_set_back_keeps_no_catalog_for_ever(jpeg, tmp_path):
    clock = Clock()
    with make(tmp_path / "s.sqlite", clock, clock.step(0.05)) as client:
        first = client.catalog()
        assert client.catalog() is first
        clock.now_s -= 1e9
        assert client.catalog() is not first
