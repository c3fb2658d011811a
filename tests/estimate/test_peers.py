"""The papers' estimators of a link do what the papers say."""

from __future__ import annotations

import pytest

from midspan.errors import InvalidValueError
from midspan.estimate.delta import DeltaLink
from midspan.estimate.harmonic import HarmonicLink


def settled(link):
    """50 ms and a microsecond a byte, without noise."""
    for turn in range(100):
        payload_bytes = 10_000 * (1 + turn % 50)
        link.learn_one((payload_bytes, turn), 0.05 + 1e-6 * payload_bytes)
    return link


def test_delta_is_per_byte_and_smoothed_by_alpha():
    """By hand: the line says 0.15 s for 100 kB; 0.25 s were measured, so delta = alpha * 0.1 s / 100 kB."""
    link = settled(DeltaLink(alpha=0.5))
    assert link.predict_one((100_000, 100)) == pytest.approx(0.15)
    link.learn_one((100_000, 101), 0.25)
    assert link.delta_ == pytest.approx(0.5 * 0.1 / 100_000)
    line_s = link.line_.predict_one((4.0,))  # 400 kB
    assert link.predict_one((400_000, 102)) == pytest.approx(line_s + 0.5e-6 * 400_000)
    link.learn_one((400_000, 103), line_s)  # as the line has it
    assert link.delta_ == pytest.approx(0.25e-6)


def test_without_alpha_delta_is_the_line_alone():
    link = settled(DeltaLink(alpha=0.0))
    link.learn_one((100_000, 101), 9.0)
    assert link.delta_ == 0.0
    assert link.predict_one((100_000, 102)) == link.line_.predict_one((1.0,))


def test_a_transfer_of_no_bytes_leaves_delta_alone():
    link = settled(DeltaLink())
    before = link.delta_
    assert link.learn_one((0, 101), 5.0).delta_ == before


def test_the_harmonic_mean_of_the_last_ten_rates():
    """A megabyte at 1 and at 4 MB/s in turns: 1 / mean(1, 1/4) = 1.6 MB/s. Older ones are forgotten."""
    link = HarmonicLink()
    for turn in range(5):
        link.learn_one((1e6, turn), 100.0)
    for turn in range(10):
        link.learn_one((1e6, 5 + turn), 1.0 if turn % 2 else 0.25)
    assert link.predict_one((1.6e6, 20)) == pytest.approx(1.0)
    assert link.predict_one((0, 20)) == 0.0


def test_a_transfer_of_no_bytes_has_no_rate():
    link = HarmonicLink()
    assert link.learn_one((0, 1), 5.0).to_dict() == HarmonicLink().to_dict()


@pytest.mark.parametrize("make", [
    lambda: DeltaLink(-0.1), lambda: DeltaLink(1.1), lambda: DeltaLink(float("nan")), lambda: DeltaLink("0.5"),
    lambda: HarmonicLink(0), lambda: HarmonicLink(10**9), lambda: HarmonicLink(2.5),
])  # fmt: skip
def test_constructors_check(make):
    with pytest.raises(InvalidValueError):
        make()
