from __future__ import annotations

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
        assert 0 <= expected_s <= bound_s
        free_at = taken_at + run_s
        backlog.end(free_at)


def test_an_idle_worker_knows_that_nobody_waited():
    backlog = Backlog(8)
    backlog.start(0.0, 1)
    backlog.end(1.0)
    assert backlog.start(2.0, 1) == (0.0, 0.0)
