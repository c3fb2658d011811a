"""Joules: the papers' own figures, and what they do to a choice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan.errors import InvalidValueError
from midspan.routing.chooser import choose
from midspan.routing.energy import CNNSELECT, PIESLICER, EnergyModel
from midspan.routing.objective import Objective
from midspan.routing.route import Route


def route(bytes_up=0, device_s=0.0, send_s=0.0, server_s=0.0, name="r"):
    return Route(name, "p", "v", bytes_up, device_s, send_s, server_s)


def test_pieslicers_figures():
    # Section 6.3: 0.265 J for 53 kB, 50 J for the largest image, 0.8 to 2.5 J for preprocessing.
    assert PIESLICER.energy_j(route(53_000)) == pytest.approx(0.265)
    assert PIESLICER.energy_j(route(10_000_000)) == pytest.approx(50)
    assert PIESLICER.energy_j(route(device_s=0.1)) == pytest.approx(0.8)
    assert PIESLICER.energy_j(route(send_s=9.0, server_s=9.0)) == 0


def test_cnnselects_figures():
    # Section 4.2: a cloud's answer for 0.057 mWh, one of the device for 8.11 mWh; 1 mWh is 3.6 J.
    assert CNNSELECT.energy_j(route(10**6, send_s=0.1, server_s=0.0314)) == pytest.approx(0.057 * 3.6, rel=0.01)
    assert CNNSELECT.energy_j(route(device_s=8.986)) == pytest.approx(8.11 * 3.6, rel=0.01)
    assert CNNSELECT.waiting_w == pytest.approx(1.08124 * 1.444, rel=0.001)
    assert EnergyModel().waiting_w == pytest.approx(1.08124 * 0.444, rel=0.001)


small = st.floats(0, 1e3)


@given(st.builds(EnergyModel, small, small, small), st.integers(0, 10**9), small, small, small)
def test_energy_is_never_negative_and_adds_up(model, bytes_up, device_s, send_s, server_s):
    whole = model.energy_j(route(bytes_up, device_s, send_s, server_s))
    parts = [route(bytes_up), route(device_s=device_s), route(send_s=send_s), route(server_s=server_s)]
    assert 0 <= whole < math.inf
    assert whole == pytest.approx(sum(map(model.energy_j, parts)))


def test_a_joule_has_a_price():
    original, resized = route(4_000_000, send_s=0.3, name="original"), route(50_000, 0.4, 0.01, name="resized")
    joules = [EnergyModel().energy_j(one) for one in (original, resized)]
    assert joules == pytest.approx([20.144, 3.4548])
    indifferent = (resized.total_s - original.total_s) / (joules[0] - joules[1])
    for s_per_joule, best in [(0.0, original), (0.99 * indifferent, original), (1.01 * indifferent, resized)]:
        assert choose([original, resized], Objective(s_per_joule=s_per_joule)).route is best
    assert choose([original, resized], Objective("energy")).route is resized
    assert choose([original, resized], Objective("energy", sla_s=0.35)).route is original
    powerful = EnergyModel(device_w=100.0)
    assert choose([original, resized], Objective("energy", energy=powerful)).route is original


@pytest.mark.parametrize("name", ["j_per_kb", "device_w", "waiting_w"])
@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, True, "1", None, 10**400])
def test_models_that_cannot_be(name, value):
    with pytest.raises(InvalidValueError, match=f"{name} must be a finite number"):
        EnergyModel(**{name: value})
