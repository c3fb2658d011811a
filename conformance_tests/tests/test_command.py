"""The command line: outcomes as people, programs and shells see them."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import NoId
from tiny_server import Brain, tiny_server

import midspan_conformance
from midspan_conformance.__main__ import main
from midspan_conformance.checks import PROFILES


@pytest.fixture
def url():
    with tiny_server(Brain()) as address:
        yield address


def test_a_right_server_gives_status_0_and_a_line_for_each_check(url, capsys):
    assert main(["run", "--url", url, "--server", "torchserve", "--burst", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [check.id for check in PROFILES["core"]]
    assert lines[-1] == f"{len(lines) - 4} passed, 0 failed, 3 skipped"


def test_json_is_one_object(url, capsys):
    assert main(["run", "--url", url, "--server", "triton", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["failed"] == 0
    assert [row["id"] for row in document["results"]] == [check.id for check in PROFILES["core"]]
    assert {"requirement", "source", "evidence", "outcome", "duration_s"} <= set(document["results"][0])


def test_a_failed_check_gives_status_1_and_tells_the_requirement(capsys):
    with tiny_server(NoId()) as url:
        assert main(["run", "--url", url, "--server", "triton"]) == 1
    out = capsys.readouterr().out
    assert "FAILED  midspan.parameters.id" in out
    assert "requirement: the caller's `id` comes back" in out


def test_a_picture_and_its_class_are_taken(url, tmp_path, capsys):
    picture = tmp_path / "other.png"
    picture.write_bytes(b"no picture at all")
    assert main(["run", "--url", url, "--server", "triton", "--picture", str(picture), "--expect", "3"]) == 1
    assert "the good picture got status 400" in capsys.readouterr().out


def test_the_other_kind_of_server_fails_every_check_but_does_not_crash(url, capsys):
    assert main(["run", "--url", f"{url}/elsewhere", "--server", "triton", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["summary"]["failed"] > 20


@pytest.mark.parametrize("path", ["/missing.png", ""])
def test_status_2_if_the_server_cannot_be_reached_or_a_file_is_missing(path, url, capsys):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        target = url if path else f"http://127.0.0.1:{unheard.getsockname()[1]}"
        extra = ["--picture", path] if path else []
        assert main(["run", "--url", target, "--server", "triton", *extra]) == 2
    assert "cannot try" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--url", "ftp://x"], ["--url", "127.0.0.1:8000"], ["--url", "http://x:port"]])
def test_status_2_for_a_url_that_is_none(arguments, capsys):
    assert main(["run", "--server", "triton", *arguments]) == 2
    assert "cannot try" in capsys.readouterr().err


def test_the_token_is_sent_and_not_shown(monkeypatch, capsys):
    seen = []

    class Guarded(Brain):
        def parameter_name(self, header):
            seen.append(header)
            return super().parameter_name(header)

    monkeypatch.setenv("MIDSPAN_TOKEN", "s3cret")
    with tiny_server(Guarded()) as url:
        assert main(["run", "--url", url, "--server", "triton"]) == 0
    assert "Authorization" in seen
    assert "s3cret" not in capsys.readouterr().out


def test_list_tells_every_check():
    command = [sys.executable, "-m", "midspan_conformance", "list"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [line.split()[0] for line in out.splitlines()] == [check.id for check in PROFILES["core"]]


def test_the_kit_imports_the_standard_library_alone():
    imported = set()
    for path in Path(midspan_conformance.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert imported <= {*sys.stdlib_module_names, "midspan_conformance"}


def test_the_document_tells_every_check_with_its_requirement():
    text = (Path(__file__).parents[2] / "docs/conformance.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `midspan.")]
    assert rows == [f"| `{check.id}` | {check.requirement} |" for check in PROFILES["core"]]
