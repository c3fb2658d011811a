"""The chooser against brute force, and the values that it chooses among."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.errors import InvalidValueError
from midspan.routing.chooser import choose
from midspan.routing.energy import EnergyModel
from midspan.routing.objective import Objective
from midspan.routing.route import Part, Route

few = st.sampled_from([0.0, 0.05, 0.1, 0.2])
routes = st.lists(
    st.builds(
        Route,
        name=st.just("r"), provider=st.just("p"), variant=st.sampled_from("abc"), bytes_up=st.integers(0, 3),
        device_s=few, send_s=few, server_s=few, accuracy=st.none() | st.sampled_from([0.5, 0.7, 0.9]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip
objectives = st.builds(
    Objective,
    goal=st.sampled_from(["time", "accuracy", "bytes", "energy"]),
    sla_s=st.none() | st.sampled_from([0.05, 0.15, 0.3]),
    min_accuracy=st.none() | st.sampled_from([0.0, 0.6, 0.95]),
    energy=st.just(EnergyModel(1.0, 8.0, 0.5)),
) | st.builds(Objective, s_per_joule=st.sampled_from([0.001, 0.1, 5.0]), sla_s=st.none() | st.just(0.15))


def accuracy(route):
    return -1 if route.accuracy is None else route.accuracy


def better(a, b, objective):
    """Whether `a` must be preferred to `b`, told pair by pair from the documentation."""
    enough = [objective.min_accuracy is None or accuracy(r) >= objective.min_accuracy for r in (a, b)]
    keeps = [
        ok and (objective.sla_s is None or r.total_s <= objective.sla_s) for ok, r in zip(enough, (a, b), strict=True)
    ]
    if keeps[0] != keeps[1]:
        return keeps[0]
    if keeps[0]:
        energy_j, s_per_joule = objective.energy.energy_j, objective.s_per_joule
        goals = {
            "time": lambda r: r.total_s + s_per_joule * energy_j(r),
            "accuracy": lambda r: -accuracy(r),
            "bytes": lambda r: r.bytes_up,
            "energy": energy_j,
        }
        return goals[objective.goal](a) < goals[objective.goal](b)
    if enough[0] != enough[1]:
        return enough[0]
    return a.total_s < b.total_s if enough[0] else accuracy(a) > accuracy(b)


@settings(max_examples=500, deadline=None)
@given(routes, objectives)
def test_no_other_route_is_better(offered, objective):
    choice = choose(offered, objective)
    assert choice.route in offered
    assert choice.routes == tuple(offered)
    assert not any(better(other, choice.route, objective) for other in offered)
    assert choice.reason


@settings(max_examples=100, deadline=None)
@given(routes.filter(lambda offered: len(offered) <= 4), objectives)
def test_the_order_of_offers_matters_to_nobody_but_equals(offered, objective):
    def key(route):
        return route.total_s, accuracy(route), route.bytes_up

    assert len({key(choose(order, objective).route) for order in itertools.permutations(offered)}) == 1


def route(total_s, accuracy=0.7, bytes_up=5, name="r"):
    return Route(name, "p", "v", bytes_up, 0.0, total_s, 0.0, accuracy)


@pytest.mark.parametrize(("objective", "reason"), [
    (Objective("time"), "the fastest of 2"),
    (Objective("accuracy", sla_s=0.2), "the most accurate of 1 within 0.200 s"),
    (Objective("accuracy", sla_s=0.05), "the fastest, as none answers within 0.050 s: it takes 0.100 s"),
    (Objective("bytes", sla_s=1.0), "the fewest bytes of 2 within 1.000 s"),
    (Objective("time", min_accuracy=0.95), "the most accurate (0.900), as none reaches 0.950"),
    (Objective("time", min_accuracy=0.8), "the fastest of 1 with accuracy 0.800 or more"),
    (Objective("energy", sla_s=1.0), "the least energy of 2 within 1.000 s"),
    (Objective(s_per_joule=0.1), "the least of time and energy of 2"),
])  # fmt: skip
def test_the_reason_says_why(objective, reason):
    assert choose([route(0.1), route(0.3, 0.9)], objective).reason == reason


def test_unknown_accuracy_is_worse_than_any_known():
    assert choose([route(0.1, None), route(9.0, 0.0)], Objective("accuracy")).route.accuracy == 0.0
    assert choose([route(0.1, None)], Objective(min_accuracy=0.5)).reason.startswith("the most accurate (unknown)")


def test_nothing_to_choose_from():
    with pytest.raises(InvalidValueError, match="no route"):
        choose([], Objective())


@pytest.mark.parametrize("arguments", [
    {"goal": "speed"}, {"goal": None}, {"sla_s": 0}, {"sla_s": -1.0}, {"sla_s": math.nan}, {"sla_s": math.inf},
    {"sla_s": "1"}, {"sla_s": True}, {"min_accuracy": 1.1}, {"min_accuracy": -0.1}, {"min_accuracy": math.nan},
    {"min_accuracy": 70}, {"s_per_joule": 0.1}, {"goal": "time", "s_per_joule": -1},
    {"goal": "time", "s_per_joule": math.nan}, {"goal": "time", "s_per_joule": math.inf},
    {"goal": "time", "s_per_joule": True},
])  # fmt: skip
def test_objectives_that_cannot_be(arguments):
    with pytest.raises(InvalidValueError):
        Objective(**({"goal": "accuracy"} | arguments))


@pytest.mark.parametrize("cost", ["device_s", "send_s", "server_s", "bytes_up", "accuracy"])
@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, -math.inf, 10**400])
def test_routes_that_cannot_be(cost, value):
    with pytest.raises(InvalidValueError, match=r"costs must be|accuracy must be"):
        Route(**{"name": "r", "provider": "p", "variant": "v", "bytes_up": 0, "device_s": 0.0, "send_s": 0.0,
                 "server_s": 0.0, "accuracy": None} | {cost: value})  # fmt: skip


def test_the_total_is_the_sum():
    assert Route("r", "p", "v", 1, 0.25, 0.5, 1.0).total_s == 1.75


@pytest.mark.parametrize("seconds", [-1e-9, math.nan, math.inf, 10**400])
def test_parts_that_cannot_be(seconds):
    for arguments in [(seconds,), (1.0, seconds)]:
        with pytest.raises(InvalidValueError, match="part 'link'"):
            Part("link", *arguments)
