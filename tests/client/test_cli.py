"""The command line, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from midspan_client.cli import main


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
    assert " ".join(lines[0].split()) == "route variant device ms send ms server ms total ms bytes up accuracy"
    assert sum("original" in line for line in lines) == sum("resized" in line for line in lines) == 2
    assert sum(line.lstrip().startswith("* ") for line in lines[1:-1]) == 1
    assert lines[-1].startswith("* the most accurate of")
    assert server.seen == []
    status, text, _ = run(capsys, "explain", photo, "--url", server.url, "--json")
    made = json.loads(text)
    assert made["chosen"] in made["routes"]


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
