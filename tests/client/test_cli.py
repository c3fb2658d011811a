"""The command line, as a user runs it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from midspan.routing.route import Part, Route
from midspan_client import Client
from midspan_client.cli import _choice_text, main
from midspan_client.providers.original import OriginalProvider


@pytest.fixture
def photo(jpeg, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg)
    return str(path)


def run(capsys, *arguments):
    status = main(list(arguments))
    streams = capsys.readouterr()
    return status, streams.out, streams.err


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_classify(start, photo, kind):
    url = start(kind).url
    command = [sys.executable, "-m", "midspan_client", "classify", photo, "--url", url, "--server", kind]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "0.900  cat" in text
    assert "predicted" in text
    assert "measured" in text
    made = json.loads(subprocess.run([*command, "--json"], capture_output=True, timeout=60, check=True).stdout)
    assert made["label"] == "cat"
    assert {"device_s", "send_s", "server_s", "total_s"} == set(made["measured"])


def test_explain_prints_a_table(start, photo, capsys):
    server = start()
    status, text, _ = run(capsys, "explain", photo, "--url", server.url, "--goal", "accuracy")
    lines = text.splitlines()
    assert status == 0
    head = "route variant device ms link ms prepare ms fixed ms total ms bytes up joules accuracy"
    assert " ".join(lines[0].split()) == head
    assert {"original", "resized"} < set(text.split())
    for line in lines[1:-2]:
        assert line.count("±") == (5 if "resized" in line else 4)  # to send the original is no work for the device
        assert ("-" in line.split()) == ("original" in line)
    assert len({len(line) for line in lines[1:-2]}) == 1  # aligned
    assert sum(line.lstrip().startswith("* ") for line in lines[1:-2]) == 1
    assert lines[-2].startswith("* the most accurate of")
    assert server.seen == []
    status, text, _ = run(capsys, "explain", photo, "--url", server.url, "--json")
    made = json.loads(text)
    assert made["chosen"] in made["routes"]
    original = made["routes"][0]
    assert [part["name"] for part in original["parts"]] == ["link", "prepare", "fixed"]
    assert sum(part["seconds"] for part in original["parts"]) == pytest.approx(original["total_s"])
    assert all(part["sd_s"] > 0 for part in original["parts"])
    assert original["energy_j"] > 0.005 * original["bytes_up"] / 1000


def test_routes_that_say_no_parts_are_shown_by_their_sums(start, jpeg):
    class Stranger(OriginalProvider):
        name = "stranger"

        def predict(self, candidate, context):
            return Route("quick", self.name, "lite0", 1, 0.001, 0.002, 0.003, parts=(Part("thinking", 0.004),))

    class Silent(OriginalProvider):
        name = "silent"

        def predict(self, candidate, context):
            return Route("slow", self.name, "lite0", 1, 0.01, 0.02, 0.03)

    with Client(start().url, providers=[Stranger(), Silent()]) as client:
        lines = _choice_text(client.explain(jpeg)).splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "route variant device ms link ms thinking ms server ms total ms bytes up joules accuracy",
        "* quick lite0 - - 4.0 - 6.0 1 0.0104 ?",
        "slow lite0 10.0 20.0 - 30.0 60.0 1 0.104 ?",
    ]


@pytest.mark.parametrize(("options", "route"), [
    (["--goal", "energy"], "resized"), (["--goal", "time", "--s-per-joule", "100"], "resized"),
])  # fmt: skip
def test_energy_decides(start, photo, capsys, options, route):
    status, text, _ = run(capsys, "explain", photo, "--url", start().url, "--json", *options)
    made = json.loads(text)
    assert status == 0
    assert made["chosen"]["name"] == route
    assert made["chosen"]["energy_j"] == min(one["energy_j"] for one in made["routes"])


def test_a_joules_worth_needs_the_goal_time(start, photo, capsys):
    status, _, error = run(capsys, "explain", photo, "--url", start().url, "--goal", "bytes", "--s-per-joule", "1")
    assert status == 2
    assert "goes with the goal time" in error


def test_the_log_has_the_devices_label(start, photo, capsys, tmp_path):
    path = tmp_path / "s.sqlite"
    assert run(capsys, "classify", photo, "--url", start().url, "--store", str(path), "--device", "pixel 2")[0] == 0
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT device FROM decisions").fetchall() == [("pixel 2",)]


def test_catalog(start, capsys):
    url = start().url
    status, text, _ = run(capsys, "catalog", "--url", url)
    assert status == 0
    assert "family test, default lite0" in text
    assert "lite2" in text
    status, text, _ = run(capsys, "catalog", "--url", url, "--json")
    assert json.loads(text)["default"] == "lite0"


def test_the_token_comes_from_the_environment(start, photo, capsys, monkeypatch):
    monkeypatch.setenv("MIDSPAN_TOKEN", "abc")
    server = start()
    assert run(capsys, "classify", photo, "--url", server.url)[0] == 0
    assert server.seen[0].headers["authorization"] == "Bearer abc"


def test_failures_have_a_status_and_one_line(start, photo, capsys, faults):
    server = start()
    status, text, error = run(capsys, "classify", "/nowhere.jpg", "--url", server.url)
    assert (status, text) == (2, "")
    assert error.startswith("midspan_client: cannot read /nowhere.jpg")
    assert run(capsys, "explain", photo, "--sla-s", "-1")[0] == 2
    server.catalog_faults.extend([lambda handler: faults.send(handler, 404, b"")] * 2)
    status, _, error = run(capsys, "explain", photo, "--url", server.url)
    assert status == 1
    assert error.startswith("midspan_client: WrongServerError: what answers there is not Triton")
