"""What `LinkModel` promises beyond the laws."""

from __future__ import annotations

import random
from itertools import count

import pytest

from midspan.estimate.link import LinkModel

LINKS = [(0.002, 1e-8), (0.01, 1e-7), (0.05, 1e-6), (0.1, 8e-6)]  # LAN, Wi-Fi, LTE, 3G
SIZES = (2e4, 2e5, 2.7e6)
every_link = pytest.mark.parametrize(("rtt_s", "s_per_byte"), LINKS)


def learned(link, line, exchanges, *, rng, noise=0.05, at_s=0.0):
    """That link after so many exchanges over a line, one a second."""
    rtt_s, s_per_byte = line
    for turn in range(exchanges):
        size = rng.choice(SIZES)
        link.learn_one((size, at_s + turn), (rtt_s + size * s_per_byte) * rng.lognormvariate(0, noise))
    return link


@every_link
def test_a_link_recovers_the_true_line(rtt_s, s_per_byte):
    forecast = learned(LinkModel(), (rtt_s, s_per_byte), 60, rng=random.Random(5), noise=0.0).forecast(60.0)
    assert forecast.rtt_s == pytest.approx(rtt_s, rel=0.1)
    assert forecast.s_per_byte == pytest.approx(s_per_byte, rel=0.1)


@every_link
def test_a_noisy_link_is_near_after_ten_exchanges(rtt_s, s_per_byte):
    forecast = learned(LinkModel(), (rtt_s, s_per_byte), 10, rng=random.Random(6)).forecast(10.0)
    for size in SIZES:
        assert forecast.transfer_s(size) == pytest.approx(rtt_s + size * s_per_byte, rel=0.25)


@pytest.mark.parametrize("before", LINKS)
@pytest.mark.parametrize("after", LINKS)
def test_a_change_of_the_network_is_followed(before, after):
    """A network that becomes another one under the same name: rare, as each has a model of its own."""
    rng = random.Random(7)
    link = learned(learned(LinkModel(), before, 20, rng=rng), after, 60, rng=rng, at_s=20.0)
    for size, factor in zip(SIZES, (2, 2, 3), strict=True):
        true_s = after[0] + size * after[1]
        assert true_s / factor < link.predict_one((size, 80.0)) < factor * true_s


@every_link
def test_one_wild_exchange_is_passed_over(rtt_s, s_per_byte):
    link, at_s = learned(LinkModel(), (rtt_s, s_per_byte), 40, rng=random.Random(8)), count(40)
    usual_s = link.predict_one((1e5, 40.0))
    link.learn_one((1e5, next(at_s)), 30.0)
    for _ in range(2):
        link.learn_one((1e5, next(at_s)), rtt_s + 1e5 * s_per_byte)
    assert link.predict_one((1e5, next(at_s))) == pytest.approx(usual_s, rel=0.25)


def test_the_units_of_a_link():
    """8 Mbit/s is a microsecond a byte; a megabyte takes a second."""
    link = LinkModel(rtt_s=0.0, s_per_byte=1e-6)
    assert link.predict_one((1_000_000, 0.0)) == pytest.approx(1.0)
    assert link.forecast(0.0).s_per_byte == pytest.approx(1e-6)


def test_a_forecast_says_what_the_model_predicts():
    link = learned(LinkModel(), LINKS[2], 30, rng=random.Random(9))
    forecast = link.forecast(31.0)
    for size in SIZES:
        assert forecast.transfer_s(size) == pytest.approx(link.predict_one((size, 31.0)))
        assert forecast.sd_s(size) == pytest.approx(link.sd_one((size, 31.0)), rel=0.2)


def test_small_exchanges_alone_leave_large_ones_in_reason():
    """Only 25 kB over 3G were seen: 2.7 MB must be predicted slower than on Wi-Fi, and not slower than any link is."""
    link = LinkModel()
    for at_s in range(20):
        link.learn_one((25e3, at_s), 0.3)
    assert link.predict_one((25e3, 20.0)) == pytest.approx(0.3, rel=0.02)
    assert 0.5 < link.predict_one((2.7e6, 20.0)) < 60


def test_a_bad_minute_is_foretold_and_forgotten():
    rng = random.Random(10)
    link = learned(LinkModel(), LINKS[2], 100, rng=rng)
    slow = tuple(3 * part for part in LINKS[2])
    learned(link, slow, 8, rng=rng, at_s=100.0)
    usual_s = LINKS[2][0] + 2e5 * LINKS[2][1]
    assert link.predict_one((2e5, 109.0)) == pytest.approx(3 * usual_s, rel=0.25)
    assert link.predict_one((2e5, 109.0 + 86_400)) == pytest.approx(usual_s, rel=0.25)


def test_bounds_teach_only_what_contradicts_the_prediction():
    link = LinkModel(rtt_s=0.1, s_per_byte=0.0)
    at_s = count()
    for low_s, high_s in [(0.0, 5.0), (0.05, 0.2), (0.0, float("inf"))]:
        link.learn_between((1000, next(at_s)), low_s, high_s)
        assert link.predict_one((1000, next(at_s))) == pytest.approx(0.1)
    for _ in range(8):
        link.learn_between((1000, next(at_s)), 0.0, 0.02)
    assert link.predict_one((1000, next(at_s))) == pytest.approx(0.02, rel=0.3)
    for _ in range(16):
        link.learn_between((1000, next(at_s)), 0.4, float("inf"))
    assert link.predict_one((1000, next(at_s))) == pytest.approx(0.4, rel=0.3)


def test_narrow_bounds_are_a_measurement():
    exact, narrow = LinkModel(), LinkModel()
    for at_s, bytes_up in enumerate((1000, 50_000, 9000)):
        exact.learn_one((bytes_up, at_s), 0.095)
        narrow.learn_between((bytes_up, at_s), 0.09, 0.1)
    assert narrow.to_dict() == exact.to_dict()
