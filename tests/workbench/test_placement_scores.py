"""Scores against cases that can be computed by hand."""

from __future__ import annotations

import pytest

from midspan.workbench.placement.request import Measured, PhotoSize, Request
from midspan.workbench.placement.scores import f1_score, score_cell

NAMES = ("local", "remote", "pieslicer", "pieslicer-nodelta", "pieslicer-nochecks", "ours", "true-means", "oracle")


def request(local_s, remote_s):
    photo = PhotoSize(1000, 10, 10)
    local, remote = Measured(local_s, 0, 0, 0, 100), Measured(0, remote_s, 0, 0, 1000)
    return Request(photo, 0.0, local, remote, local_s, remote_s)


REQUESTS = [request(1, 2), request(1, 3), request(2, 1), request(4, 1)]
BEST = ["local", "local", "remote", "remote"]


def scored(**others):
    choices = dict.fromkeys(NAMES, BEST) | {"local": ["local"] * 4, "remote": ["remote"] * 4} | others
    return score_cell("phone", "wifi", REQUESTS, choices, 12.0)


def test_f1_by_hand():
    assert f1_score(["local", "local", "remote", "local"], BEST) == pytest.approx(4 / 5)  # 2 hits, 1 false, 0 missed
    assert f1_score(BEST, BEST) == 1
    assert f1_score(["remote"] * 4, BEST) == 0
    assert f1_score(["remote"] * 4, ["remote"] * 4) == 1  # nothing to find, nothing found
    assert f1_score(["local"] * 4, ["remote"] * 4) == 0


def test_rows_by_hand():
    rows = {row.policy: row for row in scored(ours=["local", "remote", "remote", "remote"]).rows}
    ours = rows["ours"]  # takes 1, 3, 1, 1
    assert (ours.device, ours.network) == ("phone", "wifi")
    assert (ours.p50_ms, ours.mean_ms) == (1000, 1500)
    assert ours.p95_ms == pytest.approx(2700)  # between the third and the fourth of 1, 1, 1, 3
    assert ours.mean_regret_ms == 500
    assert ours.f1 == pytest.approx(2 / 3)
    assert ours.bandwidth_share == pytest.approx(3100 / 4000)
    assert rows["oracle"].mean_regret_ms == 0
    assert rows["local"].mean_ms == 2000
    assert rows["remote"].mean_ms == 1750


def test_the_summary_by_hand():
    rivals = {"pieslicer": ["remote"] * 4, "pieslicer-nodelta": ["local"] * 4, "pieslicer-nochecks": ["remote"] * 4}
    summary = scored(ours=["local", "remote", "remote", "remote"], **rivals).summary
    assert summary.better_static == "remote"
    assert summary.recovered == pytest.approx((1750 - 1500) / (1750 - 1000))
    assert summary.f1_minus_true_means == pytest.approx(2 / 3 - 1)
    assert summary.p50_ratio == pytest.approx(1000 / 1500)
    assert summary.mean_ratio == pytest.approx(1500 / 1750)
    assert (summary.regret_ms, summary.pieslicer_regret_ms, summary.beats_pieslicer) == (500, 750, True)
    assert summary.decision_us == 12
    assert not scored(ours=["local"] * 4, **rivals).summary.beats_pieslicer


def test_nothing_to_recover_where_one_choice_always_wins():
    always = dict.fromkeys(NAMES, ["remote"] * 4)
    cell = score_cell("phone", "wifi", [request(2, 1)] * 4, always | {"local": ["local"] * 4}, 0.0)
    assert cell.summary.recovered is None
    assert cell.summary.mean_ratio == 1
    assert cell.local_share["ours"] == 0
