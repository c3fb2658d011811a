"""When a model is trained, by whom, and what becomes of it: with real stores and a clock of our own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from midspan.hoststore import HostStore
from midspan.servermodel.trainer import CLAIM_S, SPACING_S, Trainer, name_of
from midspan.types import Record, Request

STAGES_S = {"queue": 0.5, "decode": 0.001, "select": 0.0, "prepare": 0.02, "run": 0.008, "other": 0.001}
RECORD = Record(Request(b"x" * 2000), "lite0", 0, STAGES_S, 0.53, 3)


@pytest.fixture
def host(tmp_path):
    """Stores and trainers of several workers on one host; `host.now` is its time."""

    class Host:
        now = 1000.0

        def __init__(self):
            self.opened = []

        def store(self):
            store = HostStore(tmp_path / "host.sqlite", flush_s=0, wall_clock=lambda: self.now)
            self.opened.append(store)
            return store

        def trainer(self, store, fit, every_s=1e6, variants=("lite0", "lite1")):
            trainer = Trainer(store, variants, every_s=every_s, fit=fit, clock=lambda: self.now)
            self.opened.insert(0, trainer)
            return trainer

    host = Host()
    yield host
    for one in host.opened:
        one.close()


def fit(samples):
    return {"samples": len(samples), "first": min(samples)}


def feed(trainer, count):
    for _ in range(count):
        trainer.sample(RECORD, 3.0)


def test_a_sample_is_what_one_request_cost(host):
    store = host.store()
    feed(host.trainer(store, fit), 1)
    assert store.samples(name_of("lite0")) == [pytest.approx((0.002, 3.0, 0.021, 0.009))]


def test_it_trains_when_there_is_enough_to_learn_and_time_has_passed(host):
    store = host.store()
    trainer = host.trainer(store, fit)
    learned = []
    for count, seconds in (
        (15, 0),
        (1, 0),
        (16, 1),
        (0, SPACING_S),
        (31, SPACING_S),
        (1, 0),
        (63, 60),
        (1, 0),
        (64, 60),
    ):
        feed(trainer, count)
        host.now += seconds
        trainer.look(store)
        learned.append(trainer.report("lite0").get("server_model", {}).get("samples"))
    assert learned == [None, 16, 16, 32, 32, 64, 64, 128, 192]
    assert trainer.report("lite1") == trainer.report("no such variant") == {}


def test_one_worker_trains_and_all_tell(host):
    trained = []
    stores = [host.store() for _ in range(3)]
    trainers = [
        host.trainer(store, lambda samples, one=one: trained.append(one) or {}) for one, store in enumerate(stores)
    ]
    for _ in range(4):
        host.now += SPACING_S
        for trainer, store in zip(trainers, stores, strict=True):
            feed(trainer, 64)
            trainer.look(store)
    assert trained == [0] * 4
    for trainer, store in zip(trainers, stores, strict=True):
        trainer.look(store)
    assert len({trainer.report("lite0")["server_model"]["version"] for trainer in trainers}) == 1
    host.now += CLAIM_S  # the first one is dead
    for trainer, store in list(zip(trainers, stores, strict=True))[1:]:
        feed(trainer, 64)
        trainer.look(store)
    assert trained == [0] * 4 + [1]


def test_a_new_worker_knows_the_model_at_once_and_its_versions_go_on(host):
    versions = []
    for _ in range(3):
        store = host.store()
        trainer = host.trainer(store, fit)
        if versions:
            assert trainer.report("lite0")["server_model"]["version"] == versions[-1]
        feed(trainer, 16)
        host.now += CLAIM_S
        trainer.look(store)
        versions.append(trainer.report("lite0")["server_model"]["version"])
        trainer.close()
        store.close()
    assert versions == sorted(set(versions))


def test_without_scikit_learn_it_says_so_once_and_goes_without(host, caplog):
    asked = []

    def missing(samples):
        asked.append(samples)
        raise ImportError("No module named 'sklearn'")

    store = host.store()
    trainer = host.trainer(store, missing)
    for _ in range(3):
        feed(trainer, 64)
        host.now += SPACING_S
        trainer.look(store)
    assert len(asked) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "sklearn" in caplog.text
    assert trainer.report("lite0") == {}
    host.store().publish(name_of("lite0"), {"samples": 7})
    trainer.look(store)
    assert trainer.report("lite0")["server_model"]["samples"] == 7, "another worker may well have it"


def test_a_fit_that_fails_leaves_the_last_model(host):
    outcomes = [{"samples": 1}, ValueError("did not converge"), {"samples": 3}]

    def sometimes(samples):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    store = host.store()
    trainer = host.trainer(store, sometimes)
    seen = []
    for _ in range(3):
        feed(trainer, 64)
        host.now += SPACING_S
        trainer.look(store)
        seen.append(trainer.report("lite0")["server_model"]["samples"])
    assert seen == [1, 1, 3]


def test_what_a_busy_disk_refused_is_trained_again(host):
    store = host.store()
    trainer = host.trainer(store, fit)
    feed(trainer, 16)
    refused = []
    store.publish, publish = lambda name, value: bool(refused.append(name)), store.publish
    trainer.look(store)
    store.publish = publish
    assert trainer.report("lite0") == {}
    trainer.look(store)
    assert refused == [name_of("lite0")]
    assert trainer.report("lite0")["server_model"]["samples"] == 16


def test_the_thread_trains_by_itself_and_ends(host):
    done, threads = threading.Event(), []

    def fit(samples):
        threads.append(threading.current_thread())
        done.set()
        return {"samples": len(samples)}

    store = host.store()
    trainer = host.trainer(store, fit, every_s=0.01)
    feed(trainer, 16)
    assert done.wait(30)
    deadline = time.monotonic() + 30
    while not trainer.report("lite0") and time.monotonic() < deadline:
        feed(trainer, 1)
        time.sleep(0.01)
    assert trainer.report("lite0")["server_model"]["samples"] >= 16
    assert threads[0] is not threading.current_thread()
    trainer.close()
    trainer.close()
    assert not threads[0].is_alive()


def test_nobody_imports_scikit_learn_before_there_is_something_to_learn():
    code = "import sys, midspan.builtin.preprocess, midspan.pipeline; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
