from __future__ import annotations

import pytest

from midspan.estimate.link import LinkModel


def test_bounds_teach_only_what_contradicts_the_prediction():
    link = LinkModel(rtt_s=0.1, s_per_byte=0.0)
    for low_s, high_s in [(0.0, 5.0), (0.05, 0.2), (0.0, float("inf"))]:
        link.learn_between(1000, low_s, high_s)
        assert link.transfer_s(1000) == pytest.approx(0.1)
    for _ in range(8):
        link.learn_between(1000, 0.0, 0.02)
    assert link.transfer_s(1000) == pytest.approx(0.02, rel=0.3)
    for _ in range(8):
        link.learn_between(1000, 0.4, float("inf"))
    assert link.transfer_s(1000) == pytest.approx(0.4, rel=0.3)


def test_narrow_bounds_are_a_measurement():
    exact, narrow = LinkModel(), LinkModel()
    for bytes_up in (1000, 50_000, 9000):
        exact.learn_one(bytes_up, 0.095)
        narrow.learn_between(bytes_up, 0.09, 0.1)
    assert narrow.to_dict() == exact.to_dict()
