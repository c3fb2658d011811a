"""docs/errors.md tells of every error class, with its code and its status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import midspan.errors
import midspan_client.errors
from midspan.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs/errors.md").read_text("utf-8")
SERVER, DEVICE = PAGE.split("\n## On the device\n")


def rows(part):
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:3] == "| `"]
    return {row[0].strip("`"): row[1:] for row in found}


def test_every_class_has_a_row():
    assert set(rows(SERVER)) == set(midspan.errors.__all__)
    assert set(rows(DEVICE)) == set(midspan_client.errors.__all__)


@pytest.mark.parametrize("name", midspan.errors.__all__)
def test_code_and_status_are_as_in_the_code(name):
    error = getattr(midspan.errors, name)
    code, status, happened, advice = rows(SERVER)[name]
    assert code == f"`{error.code}`"
    assert status == ("loading" if issubclass(error, ConfigError) else str(error.status))
    assert min(len(happened), len(advice)) > 10


@pytest.mark.parametrize("name", midspan_client.errors.__all__)
def test_what_is_retried_is_as_in_the_code(name):
    happened, retried, advice = rows(DEVICE)[name]
    assert min(len(happened), len(advice)) > 5
    if getattr(midspan_client.errors, name).retryable:
        assert retried == "yes"


@pytest.mark.parametrize(("part", "module"), [(SERVER, midspan.errors), (DEVICE, midspan_client.errors)])
def test_roots_stand_before_what_they_are_the_roots_of(part, module):
    seen = []
    for name in rows(part):
        parents = {parent.__name__ for parent in getattr(module, name).__mro__[1:]} & set(module.__all__)
        assert parents <= set(seen), name
        seen.append(name)


def test_codes_are_unique_slugs():
    codes = [getattr(midspan.errors, name).code for name in midspan.errors.__all__]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)
