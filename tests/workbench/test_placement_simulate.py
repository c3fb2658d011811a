"""The simulation: its noise is what it says, all policies meet the same, and the product does well in it."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan import cli
from midspan.errors import InternalError
from midspan.workbench.placement.cells import read_coefficients
from midspan.workbench.placement.draws import LAG_ONE, correlated, draw_requests, factors
from midspan.workbench.placement.ours import Ours, photo_of
from midspan.workbench.placement.pieslicer import PieSlicer
from midspan.workbench.placement.play import play
from midspan.workbench.placement.request import Measured, PhotoSize
from midspan.workbench.placement.simulate import simulate
from midspan.workbench.placement.sizes import SizedPhoto, in_order, read_sizes
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider

DATA = Path(__file__).parents[2] / "benchmarks/placement"
KEYS = [
    "device", "network", "policy", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "f1", "bandwidth_share", "mean_regret_ms",
]  # fmt: skip
POLICIES = [
    "local", "remote", "pieslicer", "pieslicer-nodelta", "pieslicer-nochecks", "ours-meansize", "ours", "true-means",
    "oracle",
]  # fmt: skip


@pytest.fixture(scope="module")
def coefficients():
    return read_coefficients(DATA / "coefficients.json")


@pytest.fixture(scope="module")
def photos(coefficients):
    return read_sizes(DATA / "sizes.csv", coefficients, 2000)


@pytest.fixture(scope="module")
def run(coefficients, photos):
    """As the command does by default; a few seconds."""
    return simulate(coefficients, photos, requests=2000, learn=100, seed=1)


class Diary:
    """A policy that always says the same and keeps what it is told."""

    def __init__(self, choice):
        self.choice = choice
        self.seen = []

    def choose(self, photo, at_s):
        return self.choice

    def learn(self, photo, choice, measured, at_s):
        self.seen.append((photo, choice, measured, at_s))


@pytest.mark.parametrize("mape", [0.0585, 0.1261, 0.36])
def test_factors_have_mean_1_and_the_stated_error(mape):
    drawn = factors(np.random.default_rng(1).standard_normal(200_000), mape)
    assert drawn.mean() == pytest.approx(1, abs=0.005)
    assert np.abs(drawn - 1).mean() == pytest.approx(mape, rel=0.02)


def test_neighbours_correlate_as_stated_and_the_variance_stays():
    series = correlated(np.random.default_rng(2).standard_normal(100_000))
    assert np.corrcoef(series[:-1], series[1:])[0, 1] == pytest.approx(LAG_ONE, abs=0.01)
    assert np.corrcoef(series[:-2], series[2:])[0, 1] == pytest.approx(LAG_ONE**2, abs=0.02)
    assert series.std() == pytest.approx(1, abs=0.02)


def test_noise_of_a_cell_is_the_papers_component_by_component(coefficients):
    size = PhotoSize(1_000_000, 2070, 1380)
    for cell in coefficients.cells:
        requests = draw_requests(cell, coefficients, [SizedPhoto(size, None)] * 20_000, seed=1)
        for component, line, mape in (
            ("device_s", cell.on_device, cell.noise.device),
            ("link_s", cell.link, cell.noise.network),
            ("prepare_s", cell.in_cloud, cell.noise.cloud),
        ):
            sent = size.photo_bytes if component == "device_s" else coefficients.constants.sent_bytes
            errors = [abs(getattr(one.local, component) / line.seconds(sent) - 1) for one in requests]
            assert np.mean(errors) == pytest.approx(mape, rel=0.06), (cell.device, cell.network, component)


def test_cells_and_noise_are_the_published_ones(coefficients):
    found = {(cell.device, cell.network): cell for cell in coefficients.cells}
    assert len(found) == 6
    assert found["motox4", "university"].noise.network == 0.36  # 71.78%, capped
    assert found["pixel2", "residential"].noise.network == 0.1901
    assert found["nexus5", "university"].link.seconds(1_000_000) == pytest.approx(0.494681)


def test_both_choices_of_a_request_meet_the_same_factors(coefficients, photos):
    for cell in coefficients.cells:
        for one in draw_requests(cell, coefficients, photos[:100], seed=4):
            sent, size = coefficients.constants.sent_bytes, one.photo.photo_bytes
            assert one.local.link_s / cell.link.seconds(sent) == pytest.approx(
                one.remote.link_s / cell.link.seconds(size)
            )
            prepare = one.local.prepare_s / cell.in_cloud.seconds(sent)
            assert prepare == pytest.approx(one.remote.prepare_s / cell.in_cloud.seconds(size))


def test_cells_have_draws_of_their_own_that_a_seed_repeats(coefficients, photos):
    first, second = coefficients.cells[:2]
    again = draw_requests(first, coefficients, photos[:20], seed=1)
    assert draw_requests(first, coefficients, photos[:20], seed=1) == again
    assert draw_requests(first, coefficients, photos[:20], seed=2) != again
    other = draw_requests(second, coefficients, photos[:20], seed=1)
    noise = [one.local.link_s / first.link.seconds(53_000) for one in again]
    assert noise != pytest.approx([one.local.link_s / second.link.seconds(53_000) for one in other])


def test_every_policy_learns_from_its_own_choice_alone_and_first_from_the_same(coefficients, photos):
    requests = draw_requests(coefficients.cells[0], coefficients, photos[:50], seed=5)
    forced = ["local", "remote"] * 5
    local, remote = Diary("local"), Diary("remote")
    assert play(local, requests, forced) == [*forced, *["local"] * 40]
    assert play(remote, requests, forced) == [*forced, *["remote"] * 40]
    assert local.seen[:10] == remote.seen[:10]
    for diary in (local, remote):
        for (photo, choice, measured, at_s), request in zip(diary.seen, requests, strict=True):
            assert photo == request.photo
            assert at_s == request.at_s
            assert measured == (request.local if choice == "local" else request.remote)


def test_rows_are_complete_and_the_oracle_is_perfect(run):
    for cell in run:
        assert [row.policy for row in cell.rows] == POLICIES
        oracle = cell.rows[-1]
        assert (oracle.f1, oracle.mean_regret_ms) == (1.0, 0.0)
        for row in cell.rows:
            assert row.mean_ms >= oracle.mean_ms
            assert row.mean_regret_ms == pytest.approx(row.mean_ms - oracle.mean_ms)
            assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms
        assert cell.local_share["local"] == 1
        assert cell.rows[1].bandwidth_share == 1


def test_ours_has_less_regret_than_any_pieslicer_in_every_cell(run):
    for cell in run:
        summary = cell.summary
        assert summary.beats_pieslicer, (cell.device, cell.network)
        assert summary.f1_minus_true_means >= -0.01
        assert summary.recovered >= 0.9
        assert max(summary.p50_ratio, summary.p95_ratio, summary.p99_ratio) <= 1.02


def test_all_policies_are_judged_on_the_same_requests(coefficients, photos, run):
    cell = coefficients.cells[0]
    requests = draw_requests(cell, coefficients, photos, seed=1)[100:]
    rows = {row.policy: row for row in run[0].rows}
    assert rows["local"].mean_ms == pytest.approx(np.mean([one.local.total_s for one in requests]) * 1e3)
    assert rows["remote"].mean_ms == pytest.approx(np.mean([one.remote.total_s for one in requests]) * 1e3)
    best = np.mean([min(one.local.total_s, one.remote.total_s) for one in requests]) * 1e3
    assert rows["oracle"].mean_ms == pytest.approx(best)


def test_a_prediction_for_each_photo_gains_where_sent_sizes_vary(coefficients):
    """What is sent follows the detail of the photo, which the mean cannot tell."""
    rng = np.random.default_rng(7)
    photos = []
    for _ in range(800):
        pixels, density = 0.4e6, rng.uniform(0.1, 1.2)
        side_px = round(pixels**0.5)
        sent = max(round(331**2 * (0.1 + 0.6 * density)), 1)
        photos.append(SizedPhoto(PhotoSize(round(pixels * density), side_px, side_px), sent))
    cells = simulate(coefficients, photos, requests=800, learn=100, seed=1)
    regrets = [{row.policy: row.mean_regret_ms for row in cell.rows} for cell in cells]
    assert sum(cell["ours"] for cell in regrets) < sum(cell["ours-meansize"] for cell in regrets)


class Clumsy(OriginalProvider):
    def learn(self, route, outcome):
        raise ValueError("all thumbs")


class Mute(ResizedProvider):
    def predict(self, candidate, context):
        raise ValueError("no idea")


@pytest.mark.parametrize(("provider", "message"), [(Clumsy(), "all thumbs"), (Mute(), "no idea")])
def test_a_product_that_fails_is_not_scored(provider, message, coefficients, photos):
    requests = draw_requests(coefficients.cells[0], coefficients, photos[:20], seed=1)
    others = [one for one in (OriginalProvider(), ResizedProvider()) if one.name != provider.name]
    with pytest.raises(InternalError, match=message):
        play(Ours(331, providers=(provider, *others)), requests, ["local", "remote"])


def test_the_checks_of_pieslicer_send_small_photos_as_they_are(coefficients):
    constants = replace(coefficients.constants, sent_bytes=1000)
    small = [PhotoSize(53_981, 1000, 1000), PhotoSize(200_000, 330, 331)]
    for checks, expected in ((True, "remote"), (False, "local")):
        policy = PieSlicer(constants, checks=checks)
        for at, size in enumerate((10_000, 100_000, 400_000) * 10):  # the device takes no time, the link much
            measured = Measured(0.0, size * 1e-5, 0.001, 0.001, size)
            policy.learn(PhotoSize(size, 500, 500), "remote", measured, float(at))
        assert [policy.choose(photo, 31.0) for photo in small] == [expected] * 2


@given(st.integers(1, 300), st.integers(1, 70_000), st.integers(1, 70_000))
def test_simulated_photos_read_as_jpegs_of_that_size(kilobytes, width_px, height_px):
    photo = photo_of(PhotoSize(kilobytes * 1000, width_px, height_px))
    assert len(photo.data) == kilobytes * 1000
    assert photo.header.simple
    assert (photo.header.width_px, photo.header.height_px) == (min(width_px, 65_535), min(height_px, 65_535))


def test_simulated_photos_take_no_memory():
    size = PhotoSize(64 << 20, 4000, 3000)
    tracemalloc.start()
    try:
        photos = [photo_of(size) for _ in range(100)]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert all(photo.megabytes == 67.108864 and photo.megapixels == 12.0 for photo in photos)


@given(st.integers(1, 50), st.integers(1, 120), st.integers(0, 5))
def test_photos_come_in_order_then_in_shuffled_rounds(count, requests, seed):
    photos = [SizedPhoto(PhotoSize(i + 1, 1, 1), None) for i in range(count)]
    taken = in_order(photos, requests, seed)
    assert len(taken) == requests
    assert taken[:count] == photos[:requests]
    for start in range(0, requests, count):
        round_ = taken[start : start + count]
        assert len({one.size.photo_bytes for one in round_}) == len(round_)
    assert in_order(photos, requests, seed) == taken


def test_json_has_exactly_the_keys_and_the_picture_is_drawn(tmp_path, capsys):
    arguments = ["--coefficients", str(DATA / "coefficients.json"), "--sizes", str(DATA / "sizes.csv")]
    picture = tmp_path / "picture.png"
    command = ["placement", "simulate", *arguments, "--requests", "120", "--json", "--picture", str(picture)]
    assert cli.main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["rows", "summary"]
    assert len(found["rows"]) == 6 * len(POLICIES)
    assert all(list(row) == KEYS for row in found["rows"])
    assert len(found["summary"]) == 6
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_tables_fit_a_terminal_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["--coefficients", str(DATA / "coefficients.json"), "--sizes", str(DATA / "sizes.csv")]
    assert cli.main(["placement", "simulate", *arguments, "--requests", "110", "--learn", "10"]) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert printed.count("pieslicer-nodelta") == 6
    assert "motox4, university" in printed


@pytest.mark.parametrize(
    "arguments",
    [["--requests", "0"], ["--requests", "100001"], ["--learn", "2000"], ["--learn", "-1"], ["--seed", "-1"]],
)
def test_numbers_beyond_bounds_are_refused(arguments, capsys):
    files = ["--coefficients", str(DATA / "coefficients.json"), "--sizes", str(DATA / "sizes.csv")]
    assert cli.main(["placement", "simulate", *files, *arguments]) == 1
    assert "must be at least 0" in capsys.readouterr().err
