import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan.emulator.link import LinkProfile, TraceStep
from midspan.emulator.schedule import Schedule

STEPS = st.lists(
    st.builds(
        TraceStep,
        duration_ms=st.floats(0.5, 5_000),
        mbps=st.one_of(st.just(0.0), st.floats(0.001, 1_000)),
        delay_ms=st.floats(0, 500),
    ),
    min_size=1,
    max_size=8,
).filter(lambda steps: any(step.mbps for step in steps))


def capacity_bytes(steps, start_s, end_s):
    """What can pass between two times, added up step by step."""
    at_s, passed, index = 0.0, 0.0, 0
    while at_s < end_s:
        step = steps[index % len(steps)]
        until_s = at_s + step.duration_ms / 1e3
        passed += max(min(until_s, end_s) - max(at_s, start_s), 0) * step.mbps * 1e6 / 8
        at_s, index = until_s, index + 1
    return passed


@given(STEPS, st.floats(0, 20), st.integers(1, 1_000))
def test_exactly_the_bytes_pass_between_start_and_end(steps, start_s, payload_bytes):
    end_s = Schedule(steps).through_s(start_s, payload_bytes)
    assert end_s >= start_s
    if end_s < 200:  # the slow check walks every step
        fastest = max(step.mbps for step in steps) * 1e6 / 8
        assert capacity_bytes(steps, start_s, end_s) == pytest.approx(
            payload_bytes, rel=1e-6, abs=fastest * 1e-9 + 1e-3
        )


@given(STEPS, st.floats(0, 20), st.integers(1, 10_000), st.integers(1, 10_000))
def test_two_chunks_in_a_row_take_as_long_as_one(steps, start_s, first, second):
    schedule = Schedule(steps)
    in_a_row = schedule.through_s(schedule.through_s(start_s, first), second)
    assert in_a_row == pytest.approx(schedule.through_s(start_s, first + second), rel=1e-9, abs=1e-6)


@given(STEPS, st.floats(0, 1e6))
def test_rate_and_delay_are_those_of_a_step(steps, at_s):
    schedule = Schedule(steps)
    assert schedule.rate(at_s) in [step.mbps * 1e6 / 8 for step in steps]
    assert schedule.delay_s(at_s) in [step.delay_ms / 1e3 for step in steps]


def test_an_outage_makes_bytes_wait_for_its_end():
    schedule = Schedule([TraceStep(1_000, 8, 0), TraceStep(10_000, 0, 0)])  # 1 MB/s for a second, then nothing
    assert schedule.through_s(0.9, 100_000) == pytest.approx(1.0)
    assert schedule.through_s(0.9, 100_001) == pytest.approx(11.000_001)
    assert schedule.through_s(5.0, 1_000_000) == pytest.approx(12.0)
    assert schedule.through_s(0.0, 3_000_000) == pytest.approx(23.0)


def test_nothing_ever_passes_a_link_of_rate_zero():
    schedule = Schedule(LinkProfile("out", 0, 0).up)
    assert schedule.through_s(3.0, 1) == math.inf
    assert schedule.through_s(3.0, 0) == 3.0


def test_a_profile_is_a_schedule_that_never_changes():
    schedule = Schedule(LinkProfile("lan", up_mbps=8, down_mbps=80, delay_ms=3).up)
    assert schedule.through_s(1e6, 1_000_000) == pytest.approx(1e6 + 1)
    assert schedule.delay_s(1e6) == 0.003
