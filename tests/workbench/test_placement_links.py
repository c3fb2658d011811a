"""Recorded networks are played exactly, all estimators meet the same, and the measures say what they should."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from midspan import cli
from midspan.cli.bench.table import show
from midspan.errors import ConfigError, InvalidValueError
from midspan.workbench.placement.cells import read_coefficients
from midspan.workbench.placement.linkchoices import CLAIRVOYANT, LinkTimes, score_choices
from midspan.workbench.placement.linkmeasures import by_trace, measure_choices, measure_errors
from midspan.workbench.placement.links import ESTIMATORS, LinkError, Network, Plan, find_traces, score_link
from midspan.workbench.placement.links_picture import draw
from midspan.workbench.rows import not_applicable

COEFFICIENTS = Path(__file__).parents[2] / "benchmarks/placement/coefficients.json"
SHORT = Plan(transfers=120)


@pytest.fixture
def trace(tmp_path):
    """Writes a trace of (duration_ms, mbps, latency_ms) and returns its path."""

    def write(steps, name="drive"):
        path = tmp_path / f"{name}.csv"
        rows = (",".join(map(str, step)) for step in steps)
        path.write_text("duration_ms,mbps,latency_ms\n" + "\n".join(rows) + "\n")
        return path

    return write


def drive(seed, seconds=300):
    """A network that has good and bad minutes."""
    rng, level, steps = random.Random(seed), 0.0, []
    for _ in range(seconds):
        level = 0.95 * level + rng.gauss(0, 0.3)
        steps.append((1000, round(max(5 * math.exp(level), 0.01), 4), ""))
    return steps


def test_a_transfer_takes_what_the_trace_says(trace):
    """8 Mbit/s for a second, then nothing for a second, then 16 Mbit/s; over and over; 10 ms there, 10 ms back."""
    network = Network(trace([(1000, 8, 10), (1000, 0, 10), (1000, 16, 10)]), 0.0)
    assert network.name == "drive"
    assert network.transfer_s(0.0, 500_000) == pytest.approx(0.5 + 0.02)
    assert network.transfer_s(0.5, 1_000_000) == pytest.approx(0.5 + 1 + 0.25 + 0.02)
    assert network.transfer_s(2.5, 2_000_000) == pytest.approx(0.5 + 1.0 + 0.02)
    assert network.transfer_s(300.0, 500_000) == pytest.approx(0.5 + 0.02)
    assert network.transfer_s(0.0, 0) == pytest.approx(0.02)


def test_an_unknown_latency_is_assumed(trace):
    assert Network(trace([(1000, 8, "")]), 0.025).transfer_s(0.0, 1_000_000) == pytest.approx(1.05)


def test_all_estimators_are_scored_at_all_paces(trace):
    errors = list(score_link(Network(trace(drive(1)), 0.025), SHORT))
    assert {(one.think_s, one.estimator) for one in errors} == {(s, name) for s in SHORT.think_s for name in ESTIMATORS}
    assert all(0 < one.log_error < 10 for one in errors)
    again = list(score_link(Network(trace(drive(1)), 0.025), SHORT))
    assert again == errors


def test_a_constant_network_is_foretold_by_all_that_know_round_trips(trace):
    errors = by_trace(list(score_link(Network(trace([(1000, 8, 50)]), 0.0), SHORT)))["drive"]
    assert errors["ours"] < 0.01
    assert errors["line"] < 0.01
    assert errors["harmonic"] > 0.1


def test_ours_is_better_on_networks_that_wander(trace):
    networks = [Network(trace(drive(seed), f"drive{seed}"), 0.025) for seed in range(3)]
    rows = measure_errors([one for network in networks for one in score_link(network, SHORT)])
    assert all(row.holds for row in rows)
    assert rows[2].ours == 3


def test_the_clairvoyant_is_never_beaten(trace):
    coefficients = read_coefficients(COEFFICIENTS)
    times = list(score_choices(Network(trace(drive(2)), 0.025), SHORT, coefficients))
    assert {one.device for one in times} == {"nexus5", "motox4", "pixel2"}
    for device in ("nexus5", "motox4", "pixel2"):
        of = {one.policy: one for one in times if one.device == device}
        assert set(of) == {*ESTIMATORS, "local", "remote", CLAIRVOYANT}
        assert all(one.mean_s >= of[CLAIRVOYANT].mean_s for one in of.values())
        assert all(one.p95_s >= of[CLAIRVOYANT].p95_s for one in of.values())
        assert of["ours"].mean_s < min(of["local"].mean_s, of["remote"].mean_s) * 1.05


def choices(trace, **mean_and_p95_s):
    times = {"local": (9.0, 9.0), "remote": (8.0, 10.0), **mean_and_p95_s}
    return [LinkTimes(trace, "phone", policy, *seconds) for policy, seconds in times.items()]


def test_measures_count_cases_in_which_knowing_pays():
    """Two traces; on the second one the peers do as well as the clairvoyant, so it does not count."""
    first = choices("a", ours=(1.1, 1.1), delta=(1.5, 1.5), harmonic=(1.2, 1.2), clairvoyant=(1.0, 1.0))
    second = choices("b", ours=(1.3, 1.3), delta=(1.01, 1.01), harmonic=(1.02, 1.02), clairvoyant=(1.0, 1.0))
    rows = measure_choices(first + second)
    assert [row.measure for row in rows[:4]] == [
        "95th percentile, where 3% of it could be saved, against delta: lower in 100% of 1/2 cases",
        "95th percentile, where 3% of it could be saved, against harmonic: lower in 100% of 1/2 cases",
        "95th percentile, where 3% of it could be saved, against the better of both: lower in 100% of 1/2 cases",
        "95th percentile, where 3% of it could be saved, against the better static choice: lower in 100% of 2/2 cases",
    ]
    assert (rows[0].ours, rows[0].peer, rows[0].ratio, rows[0].holds) == (1.1, 1.5, 1.0, True)
    assert rows[2].peer == 1.2
    assert (rows[3].peer, rows[11].peer) == (9.0, 8.0), "which static choice is better depends on what is compared"
    assert len(rows) == 3 * 4


def test_nothing_to_gain_is_said_and_both_readings_are_shown():
    """Harmonic's mean is open to improvement, its 95th percentile is not, and ours is above it."""
    case = choices("a", ours=(1.02, 1.05), delta=(1.5, 1.5), harmonic=(1.1, 1.01), clairvoyant=(1.0, 1.0))
    rows = {row.measure.partition(":")[0]: row for row in measure_choices(case)}
    none = rows["95th percentile, where 3% of it could be saved, against harmonic"]
    assert none.measure.endswith(": 0 of 1 cases")
    assert (none.ours, none.peer, none.ratio, none.limit, none.holds) == (None, None, None, "not applicable", None)
    tail = rows["95th percentile, where 3% of the mean could be saved, against harmonic"]
    assert (tail.ours, tail.peer, tail.holds) == (1.05, 1.01, False)
    assert rows["mean time, where 3% of it could be saved, against harmonic"].holds


def test_rows_without_a_figure_are_shown(capsys):
    show("a title", [not_applicable("of nothing: 0 of 3 cases")], {}, as_json=True)
    assert json.loads(capsys.readouterr().out)["rows"][0]["holds"] is None
    show("a title", [not_applicable("of nothing: 0 of 3 cases")], {}, as_json=False)
    table = capsys.readouterr().out
    assert "0 of 3 cases" in table
    assert "MISSED" not in table


def test_a_trace_on_which_a_peer_is_better_is_not_won():
    errors = [LinkError("a", 1.0, name, error) for name, error in (("ours", 0.2), ("delta", 0.1), ("harmonic", 0.4))]
    against_delta, against_harmonic, wins = measure_errors(errors)
    assert not against_delta.holds
    assert against_harmonic.holds
    assert (wins.ours, wins.holds) == (0, False)


@pytest.mark.parametrize("transfers", [0, 20, -1, 10**9])
def test_plans_that_would_score_nothing_are_refused(transfers):
    with pytest.raises(InvalidValueError):
        Plan(transfers=transfers)


def test_a_folder_without_traces_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must hold 1 to 1000 traces"):
        find_traces(tmp_path, 0.0)


def test_the_picture_is_a_png(trace):
    errors = by_trace(list(score_link(Network(trace(drive(3)), 0.025), SHORT)))
    assert draw(errors, "a title").startswith(b"\x89PNG")


def test_the_command_prints_rows_and_details(trace, tmp_path, capsys):
    trace(drive(4), "first")
    trace(drive(5), "second")
    picture = tmp_path / "links.png"
    arguments = ["--trace", str(tmp_path), "--transfers", "60", "--coefficients", str(COEFFICIENTS)]
    assert cli.main(["bench", "links", *arguments, "--picture", str(picture), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"rows", "errors", "times"}
    assert len(printed["errors"]) == 2 * 3 * len(ESTIMATORS)
    assert len(printed["times"]) == 2 * 3 * (len(ESTIMATORS) + 3)
    assert set(printed["rows"][0]) == {"measure", "ours", "peer", "ratio", "limit", "holds", "unit"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cli.main(["bench", "links", "--trace", str(tmp_path / "first.csv"), "--transfers", "60"]) == 0
    table = capsys.readouterr().out
    assert "first" in table
    assert "harmonic" in table


def test_a_picture_that_cannot_be_written_is_an_error(trace, capsys):
    path = str(trace(drive(4)))
    assert cli.main(["bench", "links", "--trace", path, "--transfers", "30", "--picture", "/nowhere/at/all.png"]) == 1
    assert "cannot write the picture" in capsys.readouterr().err
