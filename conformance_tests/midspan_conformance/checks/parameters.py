"""Are options read, and refused with a reason where they cannot be?"""

from __future__ import annotations

from collections.abc import Mapping

from midspan_conformance.check import check, require
from midspan_conformance.host import Answer
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]

SOURCE = "docs/errors.md, bad_parameter"


@check("midspan.parameters.used", "`top_k` says how many predictions come back", "midspan.wire")
def used(subject: Subject) -> str:
    for count in (1, 3):
        rows = (subject.good({"top_k": count}).report or {})["predictions"]
        require(len(rows) == count, f"top_k {count} got {len(rows)} predictions")
    return "top_k 1 and 3"


@check("midspan.parameters.id", "the caller's `id` comes back in the report", "midspan.wire")
def identity(subject: Subject) -> str:
    told = (subject.good({"id": "photo 1"}).report or {}).get("id")
    require(told == "photo 1", f"id is {told!r}; required is 'photo 1'")
    return f"id {told!r}"


@check(
    "midspan.parameters.headers",
    "options also come as `x-midspan-*` headers, however capitalised, with the bare payload as the body",
    "midspan.wire",
)
def headers(subject: Subject) -> str:
    for name in ("x-midspan-top-k", "X-Midspan-Top-K", "X-MIDSPAN-TOP-K"):
        answer = subject.classify_by_headers(subject.picture, {name: "2"})
        require(answer.status == 200, f"{name}: 2 got {answer}; required is status 200")
        rows = (answer.report or {})["predictions"]
        require(len(rows) == 2, f"{name}: 2 got {len(rows)} predictions")
    return "x-midspan-top-k in three spellings"


@check("midspan.parameters.type", "an option of the wrong type is refused with 400 that names it", SOURCE)
def wrong_type(subject: Subject) -> str:
    for value in ("many", "2.5", True):
        _refused(subject, {"top_k": value}, names="top_k")
    return _refused(subject, {"scores": "perhaps"}, names="scores")


@check("midspan.parameters.range", "an option out of its range is refused with 400 that names it and the range", SOURCE)
def out_of_range(subject: Subject) -> str:
    for value in (0, -1, 10**12):
        _refused(subject, {"top_k": value}, names="top_k")
    _refused(subject, {"id": "x" * 5000}, names="id")
    return _refused(subject, {"top_k": 1001}, names="1000")


@check("midspan.parameters.unknown", "an option that nobody declared is refused with 400 that names it", SOURCE)
def unknown(subject: Subject) -> str:
    return _refused(subject, {"topk": 3}, names="topk")


@check("midspan.parameters.nested", "a nested option is refused with 400", SOURCE)
def nested(subject: Subject) -> str:
    _refused(subject, {"top_k": [1, 2]})
    return _refused(subject, {"top_k": {"value": 3}})


def _refused(subject: Subject, parameters: Mapping[str, object], names: str = "") -> str:
    answer: Answer = subject.classify(subject.picture, parameters)
    told = f"{str(dict(parameters))[:100]} got {answer}"
    require(answer.status == 400, f"{told}; required is status 400")
    require(answer.message and names in answer.message, f"{told}; required is a message that names {names or 'why'}")
    return str(answer)


CHECKS = (used, identity, headers, wrong_type, out_of_range, unknown, nested)
