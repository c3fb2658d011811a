"""The conformance kit, unchanged, against both real servers."""

from __future__ import annotations

import dataclasses
import json

import pytest

from midspan_conformance.__main__ import main
from midspan_conformance.check import Outcome, apply
from midspan_conformance.checks import PROFILES
from midspan_conformance.exchange import Exchange

OVERLOAD = "midspan.errors.overload"
NOT_APPLICABLE = {
    "triton": {OVERLOAD},  # see below
    "torchserve": {OVERLOAD, "midspan.metadata.interface"},
}


def run(server, family, tmp_path, capsys):
    probe = tmp_path / "probe.png"
    probe.write_bytes(family.probe)
    command = ["run", "--url", server.url, "--server", server.kind, "--picture", str(probe), "--expect", "417"]
    status = main([*command, "--burst", "16", "--json"])
    return status, {row["id"]: row for row in json.loads(capsys.readouterr().out)["results"]}


def test_both_servers_keep_the_contract(server, family, tmp_path, capsys):
    status, results = run(server, family, tmp_path, capsys)
    failed = {name: row["evidence"] for name, row in results.items() if row["outcome"] == "failed"}
    assert (status, failed) == (0, {})
    assert {name for name, row in results.items() if row["outcome"] == "skipped"} == NOT_APPLICABLE[server.kind]


def test_a_token_is_asked_for_and_taken(torchserve_with_token, family, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MIDSPAN_TOKEN", torchserve_with_token.token)
    assert run(torchserve_with_token, family, tmp_path, capsys)[0] == 0


def test_a_wrong_token_is_refused(torchserve_with_token, subject_of):
    subject = subject_of(torchserve_with_token)
    unknown = dataclasses.replace(subject, exchange=Exchange(torchserve_with_token.url, token="wrong"))
    assert unknown.classify(subject.picture).status == 400
    assert "token" in unknown.classify(subject.picture).message.lower()


def test_overload_is_503_where_the_queue_is_short(slow_server, subject_of):
    check = next(check for check in PROFILES["core"] if check.id == OVERLOAD)
    result = apply(check, dataclasses.replace(subject_of(slow_server), burst=12))
    assert result.outcome is Outcome.PASSED, result.evidence


@pytest.mark.parametrize("wrong", ["triton", "torchserve"])
def test_the_other_kind_of_server_is_not_taken_for_the_right_one(wrong, request, family, tmp_path, capsys):
    right = request.getfixturevalue("torchserve" if wrong == "triton" else "triton")
    status = main(["run", "--url", right.url, "--server", wrong, "--json"])
    failed = [row["id"] for row in json.loads(capsys.readouterr().out)["results"] if row["outcome"] == "failed"]
    assert status == 1
    assert "midspan.health.ready" in failed
    assert "midspan.classify.predictions" in failed
