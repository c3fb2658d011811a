"""Every check passes on a server that keeps the contract, and fails on one that breaks its requirement."""

from __future__ import annotations

import zlib

import pytest
from mutants import MUTANTS, Limited
from tiny_server import Brain, tiny_server

from midspan_conformance import pictures
from midspan_conformance.check import Outcome, apply
from midspan_conformance.checks import PROFILES
from midspan_conformance.exchange import Exchange
from midspan_conformance.host import HOSTS
from midspan_conformance.subject import Subject

CHECKS = {check.id: check for check in PROFILES["core"]}
SAMPLE_SCORES = Brain().score(pictures.sample(), Brain.variants["small"])
EXPECTED = max(range(len(SAMPLE_SCORES)), key=SAMPLE_SCORES.__getitem__)


@pytest.fixture(params=sorted(HOSTS))
def make_subject(request):
    def make(url):
        return Subject(HOSTS[request.param](), Exchange(url, timeout_s=10), pictures.sample(), EXPECTED, burst=8)

    return make


@pytest.fixture(scope="module")
def right_url():
    with tiny_server(Brain()) as url:
        yield url


def has_no_metadata(subject, name):
    return name == "midspan.metadata.interface" and subject.host.name == "torchserve"


@pytest.mark.parametrize("name", CHECKS)
def test_a_server_that_keeps_the_contract_passes(name, right_url, make_subject):
    subject = make_subject(right_url)
    result = apply(CHECKS[name], subject)
    nothing_to_see = name == "midspan.errors.overload" or has_no_metadata(subject, name)
    assert result.outcome is (Outcome.SKIPPED if nothing_to_see else Outcome.PASSED), result.evidence
    assert result.evidence


@pytest.mark.parametrize("name", CHECKS)
def test_a_server_that_breaks_the_requirement_fails(name, make_subject):
    with tiny_server(MUTANTS[name]()) as url:
        subject = make_subject(url)
        result = apply(CHECKS[name], subject)
    assert result.outcome is (Outcome.SKIPPED if has_no_metadata(subject, name) else Outcome.FAILED), result.evidence
    assert len(result.evidence) > 10


def test_overload_passes_where_a_request_is_refused_with_503(make_subject):
    with tiny_server(Limited()) as url:
        result = apply(CHECKS["midspan.errors.overload"], make_subject(url))
    assert result.outcome is Outcome.PASSED, result.evidence


def test_values_cannot_be_judged_without_an_expected_class(right_url, make_subject):
    subject = make_subject(right_url)
    without = Subject(subject.host, subject.exchange, subject.picture)
    assert apply(CHECKS["midspan.classify.values"], without).outcome is Outcome.SKIPPED


def test_every_check_has_its_mutant_and_says_what_it_requires():
    assert list(MUTANTS) == list(CHECKS)
    assert len(CHECKS) == len(PROFILES["core"])
    for check in CHECKS.values():
        assert check.requirement
        assert check.source


def test_the_bad_pictures_are_bad_in_the_way_that_they_say():
    whole = pictures.sample()
    assert whole.startswith(pictures.truncated())
    assert zlib.crc32(pictures.bomb()[12:29]) == int.from_bytes(pictures.bomb()[29:33], "big"), "its header is intact"
    assert pictures.HUGE_PX.to_bytes(2, "big") * 2 in pictures.lying_jpeg()
    assert all(len(bad) < 20_000 for bad in pictures.BAD_PICTURES.values())
