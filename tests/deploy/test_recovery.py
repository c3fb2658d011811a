"""Dead workers and dead servers come back. Each test has a server of its own, with two workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from midspan.deploy.local import LocalServer
from midspan.deploy.ready import Health
from midspan.deploy.workers import TritonWorkers

KINDS = ["triton", "torchserve"]


def eventually(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Poll: a generous limit, since it only has to tell broken from slow."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "this did not become so"
        time.sleep(0.05)


def all_right(server: LocalServer, times: int = 6) -> bool:
    return all(server.probe().health is Health.RIGHT for _ in range(times))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_worker_is_replaced(kind, start_server):
    server = start_server(kind, watched=True)
    before = set(server.process.workers())
    os.kill(max(before), signal.SIGKILL)
    eventually(lambda: bool(set(server.process.workers()) - before) and all_right(server))
    assert server.running


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_any_worker_comes_back(kind, start_server):
    server = start_server(kind, watched=True)
    before = set(server.process.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not before & set(server.process.workers()) and all_right(server))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_is_started_again_at_the_same_address(kind, start_server):
    server = start_server(kind, watched=True)
    main, children = server.process.pid, set(server.process.workers())
    os.kill(main, signal.SIGKILL)
    eventually(lambda: server.running and server.process.pid != main and all_right(server))
    assert not children & set(server.process.workers())


def test_without_a_watchdog_a_dead_worker_of_triton_stays_dead(start_server):
    server = start_server("triton")
    os.kill(server.process.workers()[0], signal.SIGKILL)
    found = [server.probe().health for _ in range(6)]
    assert {Health.FAILED, Health.RIGHT} == set(found)


def test_a_dead_worker_that_never_meets_a_probe_is_known_by_its_failures(start_server):
    server = start_server("triton")
    elsewhere = TritonWorkers(server.url, server.log.parent / "not-the-repository", 2)
    assert elsewhere.find() == []
    assert elsewhere.inspect() == ""
    os.kill(server.process.workers()[0], signal.SIGKILL)
    eventually(lambda: server.probe().health is Health.FAILED)
    assert "failed in their worker" in elsewhere.inspect()
    assert elsewhere.inspect() == ""


def test_replaced_workers_do_not_stay_for_ever(start_server):
    server = start_server("triton")
    now = [0.0]
    workers = TritonWorkers(server.url, server.log.parent / "repository", 2, clock=lambda: now[0])
    before = set(workers.find())
    assert before == set(server.process.workers())
    os.kill(max(before), signal.SIGKILL)
    assert workers.inspect() == "1 of 2 workers are alive"
    eventually(lambda: server.probe().health is Health.FAILED)  # from here on Triton never unloads the old model
    workers.reload()
    assert all_right(server)
    now[0] = 11.0
    workers.inspect()
    eventually(lambda: not before & set(workers.find()))
    assert len(workers.find()) == 2
    assert all_right(server)


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_while_the_watchdog_works_leaves_nothing(kind, start_server):
    server = start_server(kind, watched=True)
    process = server.process
    os.kill(process.workers()[0], signal.SIGKILL)
    server.stop()
    assert not process.running
    assert process.workers() == []
    assert server.process is None
