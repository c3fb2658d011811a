from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan.backlog import Backlog


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60), st.integers(1, 4), st.floats(0.001, 3.0))
def test_the_bound_holds_for_every_request_of_a_simulated_worker(gaps, max_batch_size, run_s):
    """A worker that takes what has arrived, up to a batch, as soon as it can: nobody waits longer than the bound."""
    arrivals, now = [], 0.0
    for gap in gaps:
        now += gap / 10
        arrivals.append(now)
    backlog, free_at = Backlog(max_batch_size), 0.0
    while arrivals:
        taken_at = max(free_at, arrivals[0])
        batch = [a for a in arrivals if a <= taken_at][:max_batch_size]
        arrivals = arrivals[len(batch) :]
        expected_s, bound_s = backlog.start(taken_at, len(batch))
        assert taken_at - batch[0] <= bound_s + 1e-9
        assert expected_s == 0  # nobody told
        free_at = taken_at + run_s
        backlog.end(free_at)


def test_an_idle_worker_knows_that_nobody_waited():
    backlog = Backlog(8)
    backlog.start(0.0, 1)
    backlog.end(1.0)
    assert backlog.start(2.0, 1) == (0.0, 0.0)


def test_the_hosts_mean_is_the_estimate_and_a_quiet_host_clears_the_bound():
    mean = [0.3]
    backlog = Backlog(8, lambda: mean[0])
    for now in (0.0, 1.01, 2.02):
        expected = backlog.start(now, 1)
        backlog.end(now + 1.0)
    assert expected == (0.3, pytest.approx(1.01))
    mean[0] = 5.0  # more than this worker's queue can have held
    assert backlog.start(3.03, 1) == (pytest.approx(1.01), pytest.approx(1.01))
    backlog.end(4.03)
    mean[0] = 0.0001
    assert backlog.start(4.04, 1) == (0.0001, 0.0001)
    backlog.end(5.04)
    assert backlog.start(5.0405, 1) == (0.0001, pytest.approx(1.0005))  # taken at once: a queue may have begun
