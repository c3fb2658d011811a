"""Recorded requests: what was measured stays, what was not is drawn from what was; a log may hold anything."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from midspan import cli
from midspan.errors import ConfigError
from midspan.workbench.placement.cells import read_coefficients
from midspan.workbench.placement.replay import Component, reconstruct, replay
from midspan.workbench.placement.request import Measured, PhotoSize
from midspan.workbench.placement.simulate import simulate
from midspan.workbench.placement.sizes import read_sizes
from midspan.workbench.placement.storelog import LoggedRequest, Recording, read_log
from midspan_client.store import MAX_ROWS, Store

DATA = Path(__file__).parents[2] / "benchmarks/placement"


@pytest.fixture(scope="module")
def coefficients():
    return read_coefficients(DATA / "coefficients.json")


@pytest.fixture(scope="module")
def log(coefficients, tmp_path_factory):
    """What `ours` measured in a simulation of 300 requests in each cell."""
    path = tmp_path_factory.mktemp("log") / "store.sqlite"
    photos = read_sizes(DATA / "sizes.csv", coefficients, 300)
    recording = Recording(path, len(coefficients.cells))
    simulate(coefficients, photos, requests=300, learn=100, seed=1, witness=recording.witness)
    recording.close()
    return path


@pytest.fixture
def copy(log, tmp_path):
    """A copy to damage, and how: `copy(statement)` runs it and gives the path."""

    def damaged(*statements):
        path = tmp_path / "copy.sqlite"
        path.write_bytes(log.read_bytes())
        with closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()
        return path

    return damaged


def linear_log():
    """Without noise: on-device 10 ms + 100 ms/MB, link 20 ms + 1 s/MB, cloud 2 ms + 50 ms/MB, sent a tenth."""
    log = []
    for i in range(60):
        size = 100_000 + 37_000 * (i * 7 % 60)
        choice = "local" if i % 2 else "remote"
        sent = size // 10 if choice == "local" else size
        device_s = 0.01 + size * 1e-7 if choice == "local" else 0.0
        measured = Measured(device_s, 0.02 + sent * 1e-6, 0.002 + sent * 5e-8, 0.001, sent)
        log.append(LoggedRequest("phone", "wifi", 1000.0 + i, PhotoSize(size, 1000, size // 350), choice, measured))
    return log


def test_the_log_is_what_a_client_would_have_written(log):
    with closing(Store(log, "")) as store:
        networks = {name: store.network_id(name) for name in ("residential", "university")}
    found = read_log(log)
    assert {one.network for one in found} == set(networks.values())
    assert {one.device for one in found} == {"nexus5", "motox4", "pixel2"}
    assert 200 * 6 < len(found) <= 300 * 6
    named = read_log(log, ["university", "elsewhere"])
    assert {one.network for one in named} == {"university", networks["residential"]}


def test_a_log_keeps_the_newest_of_each_cell(coefficients, tmp_path):
    recording = Recording(tmp_path / "store.sqlite", len(coefficients.cells))
    photos = read_sizes(DATA / "sizes.csv", coefficients, 20)
    recording._most = 15
    simulate(coefficients, photos, requests=20, learn=0, seed=1, witness=recording.witness)
    recording.close()
    found = read_log(tmp_path / "store.sqlite")
    assert len(found) == 15 * 6
    assert min(one.at_s for one in found) - 5 == 1_704_067_200.0
    assert MAX_ROWS // 6 * 6 <= MAX_ROWS


def test_what_was_measured_stays_and_the_rest_is_fitted():
    log = linear_log()
    for one, request in zip(log, reconstruct(log, seed=1), strict=True):
        measured, other = (request.local, request.remote)[:: 1 if one.choice == "local" else -1]
        assert measured == one.measured
        assert request.at_s == one.at_s - 1000
        size, sent = one.photo.photo_bytes, one.photo.photo_bytes // 10
        expected = (0.01 + size * 1e-7) + (0.02 + sent * 1e-6) + (0.002 + sent * 5e-8) + 0.001
        if one.choice == "local":
            expected = (0.02 + size * 1e-6) + (0.002 + size * 5e-8) + 0.001
        assert other.total_s == pytest.approx(expected, rel=0.02)
        assert other.bytes_up == pytest.approx(size if one.choice == "local" else sent, rel=0.02)


def test_the_links_factor_of_a_request_holds_for_both_choices():
    log = linear_log()
    slow = log[31]
    costs = slow.measured
    log[31] = LoggedRequest(
        slow.device, slow.network, slow.at_s, slow.photo, slow.choice,
        Measured(costs.device_s, costs.link_s * 3, costs.prepare_s, costs.fixed_s, costs.bytes_up),
    )  # fmt: skip
    calm, shaken = reconstruct(linear_log(), seed=1)[31], reconstruct(log, seed=1)[31]
    assert shaken.local.link_s == pytest.approx(3 * calm.local.link_s)
    assert shaken.remote.link_s == pytest.approx(3 * calm.remote.link_s, rel=0.05)
    assert shaken.remote_mean_s == pytest.approx(calm.remote_mean_s, rel=0.05)


def test_factors_are_measured_over_fitted():
    features = [(1.0, float(x)) for x in range(1, 41)]
    measured = [0.1 + 0.2 * x for _, x in features]
    measured[7] *= 4
    component = Component.fit(features, measured)
    assert component.mean((1.0, 10.0)) == pytest.approx(2.1, rel=0.02)
    assert component.factors[7] == pytest.approx(4, rel=0.05)
    assert component.factors[20] == pytest.approx(1, rel=0.02)


def test_replaying_a_simulation_finds_what_it_was_made_of(log, coefficients):
    cells, left_out = replay(read_log(log, ["residential", "university"]), side_px=331, learn=100, seed=1)
    assert not left_out
    assert [(cell.device, cell.network) for cell in cells] == [(one.device, one.network) for one in coefficients.cells]
    for cell in cells:
        rows = {row.policy: row for row in cell.rows}
        assert (rows["oracle"].f1, rows["oracle"].mean_regret_ms) == (1.0, 0.0)
        assert rows["true-means"].mean_regret_ms < min(rows["local"].mean_regret_ms, rows["remote"].mean_regret_ms)
        assert rows["ours"].mean_ms < min(rows["local"].mean_ms, rows["remote"].mean_ms)


def test_a_device_that_chose_but_once_is_left_out():
    log = linear_log()
    cells, left_out = replay([one for one in log if one.choice == "local"], side_px=331, learn=10, seed=1)
    assert not cells
    assert left_out == [
        "phone, wifi: 30 preprocessed on the device and 0 in the cloud; needs 10 of each, and more than 10 in all"
    ]
    assert len(replay(log, side_px=331, learn=60, seed=1)[1]) == 1
    assert len(replay(log, side_px=331, learn=59, seed=1)[0]) == 1


def test_a_cell_that_cannot_be_replayed_is_left_out_alone():
    """Exchanges of nothing in no time, but some in a day: nobody can say what they would have taken with more."""
    log, absurd = linear_log(), []
    for i, one in enumerate(log):
        measured = replace(one.measured, link_s=86_400.0 if i % 5 == 0 else 0.0, bytes_up=1)
        absurd.append(replace(one, device="broken", measured=measured if one.choice == "local" else one.measured))
    for order in (absurd + log, log + absurd):
        cells, left_out = replay(order, side_px=331, learn=20, seed=1)
        assert [cell.device for cell in cells] == ["phone"]
        assert len(left_out) == 1
        assert left_out[0].startswith("broken, wifi: ")


def test_photos_of_one_size_can_be_replayed():
    log = []
    for i, one in enumerate(linear_log()):
        sent = 50_000 if one.choice == "local" else 500_000
        measured = replace(one.measured, bytes_up=sent, link_s=0.1 + 1e-3 * i)
        log.append(replace(one, photo=PhotoSize(500_000, 1000, 1400), measured=measured))
    cells, left_out = replay(log, side_px=331, learn=20, seed=1)
    assert (len(cells), left_out) == (1, [])


def test_the_command_prints_the_same_rows_as_simulate(log, capsys):
    assert cli.main(["placement", "replay", "--log", str(log), "--json", "--network", "university"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["rows", "summary"]
    assert len(found["rows"]) == 6 * 9
    assert list(found["rows"][0]) == [
        "device", "network", "policy", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "f1", "bandwidth_share",
        "mean_regret_ms",
    ]  # fmt: skip
    assert "university" in {row["network"] for row in found["rows"]}


@pytest.mark.parametrize("command", ["fit", "replay"])
def test_several_logs_are_read_as_one(command, copy, capsys):
    phones = []
    for device in ("pixel2", "nexus5"):
        path = copy("DELETE FROM decisions WHERE id % 3", f"DELETE FROM decisions WHERE device != '{device}'")
        phones += ["--log", str(path.rename(path.with_name(device)))]
    learn = ["--learn", "40"] if command == "replay" else []
    assert cli.main(["placement", command, *phones, *learn, "--json"]) == 0
    assert {row["device"] for row in json.loads(capsys.readouterr().out)["rows"]} == {"pixel2", "nexus5"}


@pytest.mark.parametrize("command", ["fit", "replay"])
@pytest.mark.parametrize("side", ["0", "16385"])
def test_a_side_that_is_none_is_refused(command, side, log, capsys):
    assert cli.main(["placement", command, "--log", str(log), "--side", side]) == 1
    assert f"--side must be between 1 and 16384, got {side}" in capsys.readouterr().err


def test_the_file_is_not_written_to(log):
    before = log.read_bytes()
    read_log(log)
    assert log.read_bytes() == before


BAD_LOGS = {
    "DROP TABLE decisions": "has no table of decisions",
    "ALTER TABLE decisions DROP COLUMN prepare_s": "decisions lack prepare_s",
    "UPDATE decisions SET send_s = 9e999": "send_s must be a number between 0 and 86400, got 'inf'",
    "UPDATE decisions SET send_s = -1": "send_s must be a number between 0 and 86400, got '-1.0'",
    "UPDATE decisions SET send_s = NULL": "send_s must be a number",
    "UPDATE decisions SET server_s = 'long' WHERE id = 3": "request 3: server_s must be a number",
    "UPDATE decisions SET prepare_s = x'00'": "prepare_s must be a number",
    "UPDATE decisions SET photo_bytes = 1e12": "photo_bytes must be a number between 0 and 67108864",
    "UPDATE decisions SET width_px = -5": "width_px must be a number",
    "UPDATE decisions SET at = 1e300": "at must be a number",
    "UPDATE decisions SET device = CAST(x'ff' AS TEXT)": "cannot read",
}


@pytest.mark.parametrize(("statement", "message"), BAD_LOGS.items(), ids=BAD_LOGS)
def test_bad_logs_are_named(statement, message, copy):
    with pytest.raises(ConfigError) as caught:
        read_log(copy(statement))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_decisions_that_would_be_computed_are_refused(copy):
    with pytest.raises(ConfigError, match="no table of decisions"):
        read_log(copy("ALTER TABLE decisions RENAME TO d", "CREATE VIEW decisions AS SELECT * FROM d"))
    made = "CREATE TABLE decisions AS SELECT * FROM d"
    extra = "ALTER TABLE decisions ADD COLUMN server_s AS (length(zeroblob(1e9)))"
    drop = "ALTER TABLE decisions DROP COLUMN server_s"
    with pytest.raises(ConfigError, match="decisions lack server_s"):
        read_log(copy("ALTER TABLE decisions RENAME TO d", made, drop, extra))


def test_a_log_that_is_too_large_is_refused(copy, tmp_path):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001) "
    columns = "provider, degraded, teaches, server_s, prepare_s, photo_bytes, network, device"
    with pytest.raises(ConfigError, match="more than the 100000 requests"):
        read_log(copy(f"{many} INSERT INTO decisions ({columns}) SELECT 'original', '', 1, 1, 1, 1, '', '' FROM n"))
    with (tmp_path / "huge").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(ConfigError, match="at most 268435456 are allowed"):
        read_log(tmp_path / "huge")


def test_what_is_no_store_is_refused(tmp_path):
    path = tmp_path / "log.sqlite"
    with pytest.raises(ConfigError, match="cannot read"):
        read_log(path)
    assert not path.exists()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match="file is not a database"):
        read_log(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_log(tmp_path)


def test_rows_of_other_routes_or_without_all_components_are_left_out(copy, log):
    whole = len(read_log(log))
    assert len(read_log(copy("UPDATE decisions SET provider = 'prefix' WHERE id <= 10"))) == whole - 10
    assert len(read_log(copy("UPDATE decisions SET degraded = 'lost' WHERE id <= 10"))) == whole - 10
    assert len(read_log(copy("UPDATE decisions SET teaches = 0 WHERE id <= 10"))) == whole - 10
    assert len(read_log(copy("UPDATE decisions SET prepare_s = NULL WHERE id <= 10"))) == whole - 10
    assert len(read_log(copy("UPDATE decisions SET device = zeroblob(10000000) WHERE id = 1"))) == whole - 1


def test_a_simulation_is_not_mixed_with_other_requests(copy, tmp_path):
    with pytest.raises(ConfigError, match="is there already"):
        Recording(copy("SELECT 1"), 6)
    with pytest.raises(ConfigError, match="cannot make"):
        Recording(tmp_path / "no directory" / "store.sqlite", 6)


@pytest.mark.parametrize("damage", ["DELETE FROM meta", "UPDATE meta SET value = 7", "UPDATE meta SET value = 'salt'"])
def test_networks_cannot_be_named_without_the_salt(damage, copy):
    path = copy(damage)
    assert read_log(path)
    with pytest.raises(ConfigError, match="has no salt"):
        read_log(path, ["university"])


def test_absurd_but_allowed_values_end_in_a_table_or_a_typed_error(copy):
    one_device = "DELETE FROM decisions WHERE device != 'pixel2'"
    for damage in (
        "UPDATE decisions SET send_s = 0, work_s = 0, prepare_s = 0, server_s = 0",
        "UPDATE decisions SET send_s = 86400, work_s = 86400, prepare_s = 0, server_s = 86400 WHERE id % 2",
        "UPDATE decisions SET photo_bytes = 1, bytes_up = 0, width_px = 0, height_px = 0",
        "UPDATE decisions SET at = 1e11 - at WHERE id % 3 = 0",
        "UPDATE decisions SET server_s = 0",
    ):
        try:
            cells, _ = replay(read_log(copy(one_device, damage)), side_px=331, learn=100, seed=1)
        except ConfigError:
            continue
        for cell in cells:
            assert all(row.mean_regret_ms >= 0 for row in cell.rows), damage
