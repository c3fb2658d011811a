"""What the probe makes of an answer. The transport is the test's; tests of real servers use the real one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from midspan import bundle as bundles
from midspan.deploy.ready import TOLERANCE, Health, Probe


class Canned:
    """A transport that always gives the same answer."""

    def __init__(self, status: int = 200, body: bytes = b"", error: Exception | None = None) -> None:
        self.status, self.body, self.error = status, body, error
        self.headers: Mapping[str, str] = {}

    def __call__(self, method, url, body, headers, timeout_s):
        self.headers = headers
        if self.error:
            raise self.error
        return self.status, self.body


@pytest.fixture(scope="module")
def family(bundle):
    return bundles.load(bundle)


@pytest.fixture(params=["triton", "torchserve"])
def kind(request):
    return request.param


def answer(kind: str, scores: object) -> bytes:
    return json.dumps({"scores": scores} if kind == "torchserve" else {"outputs": [{"data": scores}]}).encode()


def ask(kind, family, transport):
    return Probe(kind, "http://nowhere", family, transport=transport)()


def test_right_values_are_right(kind, family):
    scores = [score + TOLERANCE / 2 for score in family.variant(family.default).probe_scores]
    assert ask(kind, family, Canned(body=answer(kind, scores))).health is Health.RIGHT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda scores: [scores[0] + 1, *scores[1:]],
        lambda scores: [float("nan"), *scores[1:]],
        lambda scores: scores[:-1],
        lambda scores: [*scores, 0.0],
        lambda scores: [],
        lambda scores: None,
        lambda scores: ["a"] * len(scores),
        lambda scores: {"0": 1.0},
        lambda scores: [scores[0]] * len(scores),  # what numpy 2 makes of a tensor
    ],
)
def test_wrong_values_are_wrong_even_with_status_200(kind, family, spoil):
    scores = spoil(list(family.variant(family.default).probe_scores))
    assert ask(kind, family, Canned(body=answer(kind, scores))).health is Health.WRONG


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b"null", b"\xff\xfe"])
def test_an_answer_of_another_shape_is_wrong(kind, family, body):
    assert ask(kind, family, Canned(body=body)).health is Health.WRONG


@pytest.mark.parametrize(
    ("transport", "health"),
    [
        (Canned(status=503), Health.BUSY),
        (Canned(status=500, body=b'{"error":"Stub process is not healthy."}'), Health.FAILED),
        (Canned(status=400), Health.FAILED),
        (Canned(error=TimeoutError()), Health.SILENT),
        (Canned(error=ConnectionRefusedError("refused")), Health.GONE),
        (Canned(error=ConnectionResetError("reset")), Health.GONE),
    ],
)
def test_other_ends(kind, family, transport, health):
    assert ask(kind, family, transport).health is health


def test_the_token_is_asked_for_each_time(kind, family):
    tokens = iter(["first", "second"])
    transport = Canned()
    probe = Probe(kind, "http://nowhere", family, token=lambda: next(tokens), transport=transport)
    for token in ("first", "second"):
        probe()
        assert transport.headers["Authorization"] == f"Bearer {token}"
