"""Does a good picture get a right and complete answer?"""

from __future__ import annotations

import math

from midspan_conformance.check import SkippedError, check, require
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]

SOURCE = "midspan.wire, the report"
TOLERANCE = 1e-4
"""How far two answers to one picture may be apart, relative to the score: batches round the last digits otherwise."""


@check(
    "midspan.classify.values", "the most likely class of the given picture is the expected one", "the caller of the kit"
)
def values(subject: Subject) -> str:
    if subject.expected is None:
        raise SkippedError("no expected class was given: --picture FILE --expect INDEX")
    best = (subject.good().report or {})["predictions"][0]
    require(best["index"] == subject.expected, f"top-1 is {best}; required is index {subject.expected}")
    return f"top-1 is {best['index']} ({best['label']}), score {best['score']:.4f}"


@check(
    "midspan.classify.predictions", "five predictions, best first, each with index, label and a finite score", SOURCE
)
def predictions(subject: Subject) -> str:
    report = subject.good().report or {}
    rows = report["predictions"]
    classes = {row["name"]: row["classes"] for row in subject.control("catalog")["variants"]}[report["variant"]]
    require(len(rows) == min(5, classes), f"got {len(rows)} predictions of {classes} classes; required are 5")
    for row in rows:
        indexed = type(row["index"]) is int and 0 <= row["index"] < classes
        require(indexed and isinstance(row["label"], str) and math.isfinite(row["score"]), f"{row} is no prediction")
    scores = [row["score"] for row in rows]
    require(scores == sorted(scores, reverse=True), f"scores are {scores}; required is best first")
    require(len({row["index"] for row in rows}) == len(rows), f"a class is there twice: {rows}")
    return f"best {rows[0]['index']} ({rows[0]['label']})"


@check(
    "midspan.classify.report",
    "the report tells variant, cut, batch size, and seconds by stage that sum to the whole",
    SOURCE,
)
def report(subject: Subject) -> str:
    told = subject.good().report or {}
    require(isinstance(told["variant"], str) and told["variant"], f"variant is {told['variant']!r}")
    require(type(told["cut"]) is int and told["cut"] >= 0, f"cut is {told['cut']!r}")
    require(type(told["batch_size"]) is int and told["batch_size"] >= 1, f"batch_size is {told['batch_size']!r}")
    stages_s = told["stages_s"]
    required = {"queue", "decode", "select", "prepare", "run", "other"}
    require(required <= set(stages_s), f"stages are {sorted(stages_s)}; required are {sorted(required)}")
    require(all(value >= 0 for value in stages_s.values()), f"a stage is below 0: {stages_s}")
    sum_s, whole_s = sum(stages_s.values()), told["server_s"]
    require(whole_s > 0, f"server_s is {whole_s}; required is above 0")
    require(abs(sum_s - whole_s) <= 0.05 * whole_s, f"stages sum to {sum_s:.6f} s, server_s is {whole_s:.6f}")
    return f"{told['variant']} in {1000 * whole_s:.1f} ms"


@check("midspan.classify.scores", "the scores of all classes agree with the predictions", SOURCE)
def scores(subject: Subject) -> str:
    answer = subject.good(scores=True)
    require(answer.scores is not None, "scores were asked for and did not come")
    got = list(answer.scores or ())
    told = answer.report or {}
    classes = {row["name"]: row["classes"] for row in subject.control("catalog")["variants"]}[told["variant"]]
    require(len(got) == classes, f"got {len(got)} scores; {told['variant']} has {classes} classes")
    require(all(math.isfinite(score) for score in got), "a score is not finite")
    for row in told["predictions"]:
        require(_close(got[row["index"]], row["score"]), f"scores[{row['index']}] is {got[row['index']]}, told {row}")
    best = max(range(classes), key=got.__getitem__)
    require(
        best == told["predictions"][0]["index"], f"the highest score is class {best}, told {told['predictions'][0]}"
    )
    return f"{classes} scores, highest {best}"


@check("midspan.classify.repeatable", "the same picture gets the same answer again", SOURCE)
def repeatable(subject: Subject) -> str:
    first, second = ((subject.good().report or {})["predictions"] for _ in range(2))
    same = [row["index"] for row in first] == [row["index"] for row in second]
    same = same and all(_close(one["score"], two["score"]) for one, two in zip(first, second, strict=True))
    require(same, f"first {first}, then {second}")
    return f"twice {first[0]['index']}"


@check("midspan.classify.variants", "every variant of the catalog answers when it is asked for by name", SOURCE)
def variants(subject: Subject) -> str:
    names = [variant["name"] for variant in subject.control("catalog")["variants"]]
    for name in names:
        answered = (subject.good({"variant": name}).report or {})["variant"]
        require(answered == name, f"asked for {name!r}, {answered!r} answered")
    return ", ".join(names)


def _close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


CHECKS = (values, predictions, report, scores, repeatable, variants)
