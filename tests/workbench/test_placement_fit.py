"""Models of time on recorded requests: split before anything is learned, scored alike, ours in order besides."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midspan import cli
from midspan.errors import ConfigError
from midspan.workbench.placement.cells import read_coefficients
from midspan.workbench.placement.fit import COMPONENTS, fit_cell, group_by_cell, steps
from midspan.workbench.placement.fit_picture import draw
from midspan.workbench.placement.fitmodels import MODELS, percentage_error
from midspan.workbench.placement.request import Measured, PhotoSize
from midspan.workbench.placement.simulate import simulate
from midspan.workbench.placement.sizes import read_sizes
from midspan.workbench.placement.storelog import LoggedRequest, Recording

DATA = Path(__file__).parents[2] / "benchmarks/placement"
NAMES = {*MODELS, "ours", "ours in order", "retrained in order"}


def logged(count=150, *, noise=0.05, seed=1, wild=0):
    """A phone on one network, times linear in bytes, one request a second; every `wild`-th link takes ten times."""
    rng, log = random.Random(seed), []
    for i in range(count):
        size = rng.randrange(100_000, 4_000_000)
        width = round((size * 4 / 3 / 0.3) ** 0.5)
        choice = "local" if rng.random() < 0.5 else "remote"
        sent = round(30_000 * rng.lognormvariate(0, noise)) if choice == "local" else size
        device, link, prepare = (rng.lognormvariate(0, noise) for _ in range(3))
        link *= 10 if wild and i % wild == 0 else 1
        measured = Measured(
            (0.05 + size * 1e-7) * device if choice == "local" else 0.0,
            (0.05 + sent * 1e-6) * link,
            (0.005 + sent * 5e-8) * prepare,
            0.02,
            sent,
        )
        photo = PhotoSize(size, width, width * 3 // 4)
        log.append(LoggedRequest("phone", "wifi", 1000.0 + i, photo, choice, measured))
    return log


def fitted(log, *, trim=False):
    done = []
    rows, forecasts = fit_cell(log, side_px=331, trim=trim, report=done.append)
    assert len(done) == steps(log)
    return {(row.component, row.model): row for row in rows}, forecasts


@pytest.fixture(scope="module")
def found():
    return fitted(logged())


def test_every_model_of_every_component_is_scored(found):
    rows, _ = found
    assert set(rows) == {(component, model) for component in COMPONENTS for model in NAMES}
    for row in rows.values():
        assert (row.device, row.network) == ("phone", "wifi")
        assert 0 <= row.mape_percent < 100
        assert 30 <= row.n <= 150


def test_straight_lines_are_found(found):
    """With 5% noise nothing can be much closer than 4% on average. Least squares neglects what is small."""
    rows, _ = found
    for component in ("device", "link", "prepare"):
        for model, most in (("ols", 10), ("lasso", 15), ("svr", 7), ("ours", 6), ("retrained in order", 12)):
            assert rows[component, model].mape_percent < most, (component, model)
    assert rows["fixed", "ours"].mape_percent < 1
    assert rows["sent", "ours"].mape_percent < 6


def test_a_line_that_is_trained_again_follows_a_change():
    """The server becomes three times as slow, and stays so: no line through both describes either."""
    log = logged(400)
    slow = [replace(one, measured=replace(one.measured, prepare_s=3 * one.measured.prepare_s)) for one in log[200:]]
    rows, _ = fitted(log[:200] + slow)
    retrained = rows["prepare", "retrained in order"]
    assert retrained.mape_percent < 0.6 * rows["prepare", "ols"].mape_percent
    assert retrained.n == rows["prepare", "ours in order"].n == 380


def test_what_the_others_cannot_know_ours_in_order_does():
    """A network with bad minutes: in order they can be foretold, by folds they cannot."""
    log, rng, level = [], random.Random(3), 0.0
    for one in logged(200):
        level = 0.9 * level + rng.gauss(0, 0.2)
        slow = Measured(
            one.measured.device_s,
            one.measured.link_s * np.exp(level).item(),
            one.measured.prepare_s,
            one.measured.fixed_s,
            one.measured.bytes_up,
        )
        log.append(LoggedRequest(one.device, one.network, one.at_s, one.photo, one.choice, slow))
    rows, _ = fitted(log)
    in_order = rows["link", "ours in order"].mape_percent
    assert in_order < 0.7 * min(
        rows["link", model].mape_percent for model in NAMES - {"ours in order", "retrained in order"}
    )
    assert in_order < 0.7 * rows["link", "retrained in order"].mape_percent


def test_outliers_are_scored_even_where_they_are_not_learned():
    plain, trimmed = fitted(logged(200, wild=20))[0], fitted(logged(200, wild=20), trim=True)[0]
    assert trimmed["link", "ols"].n == plain["link", "ols"].n == 200
    assert trimmed["link", "ols"].mape_percent < 0.8 * plain["link", "ols"].mape_percent
    assert trimmed["link", "ours"].mape_percent == plain["link", "ours"].mape_percent


def test_what_was_predicted_comes_with_its_uncertainty(found):
    _, forecasts = found
    assert {one.component for one in forecasts} == set(COMPONENTS)
    for component in ("device", "link", "prepare"):
        of = [one for one in forecasts if one.component == component]
        within = sum(abs(one.predicted - one.measured) <= 2 * one.sd for one in of) / len(of)
        assert within > 0.8, component


def test_models_learn_nothing_of_what_they_predict():
    """Pure noise: who looks at the answers is better than the spread; k of 1 would be, and would be chosen."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1, (200, 3)), rng.uniform(1, 2, 200)
    for name, make in MODELS.items():
        model = make()
        model.fit(x[:150], y[:150])
        error = percentage_error(model.predict(x[150:]), y[150:])
        assert error > 12, name
    assert percentage_error(np.full(50, 1.5), y[150:]) > 12


def test_a_percentage_of_nothing_is_finite():
    assert percentage_error(np.array([0.0, 1.0]), np.array([0.0, 2.0])) == pytest.approx(25.0)


def test_too_few_requests_are_refused():
    with pytest.raises(ConfigError, match="30 requests"):
        group_by_cell(logged(29))


def test_a_component_that_was_hardly_measured_is_left_out():
    remote = [one for one in logged(200) if one.choice == "remote"]
    assert {component for component, _ in fitted(remote)[0]} == {"link", "prepare", "fixed"}


def test_the_picture_is_a_png(found):
    assert draw(found[1], "a title").startswith(b"\x89PNG")


def test_the_command(tmp_path, capsys):
    coefficients = read_coefficients(DATA / "coefficients.json")
    coefficients = replace(coefficients, cells=coefficients.cells[4:5])
    recording = Recording(tmp_path / "store.sqlite", len(coefficients.cells))
    photos = read_sizes(DATA / "sizes.csv", coefficients, 80)
    simulate(coefficients, photos, requests=80, learn=40, seed=1, witness=recording.witness)
    recording.close()
    arguments = ["--log", str(tmp_path / "store.sqlite"), "--network", "residential", "--network", "university"]
    picture = tmp_path / "fit.png"
    assert cli.main(["placement", "fit", *arguments, "--picture", str(picture), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert set(rows[0]) == {"component", "device", "network", "model", "mape_percent", "n"}
    assert {row["network"] for row in rows} == {"university"}
    assert {row["component"] for row in rows} >= {"device", "link", "prepare", "fixed"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cli.main(["placement", "fit", *arguments]) == 0
    assert "link: mean absolute percentage error" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "message"), [
    (b"", "no table of decisions"), (b"x" * 5000, "cannot read"), (None, "cannot read"),
])  # fmt: skip
def test_what_is_no_log_is_refused(tmp_path, capsys, content, message):
    path = tmp_path / "store.sqlite"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["placement", "fit", "--log", str(path)]) == 1
    assert message in capsys.readouterr().err
