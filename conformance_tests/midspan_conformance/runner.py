"""Applies checks to a server, and tells what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from midspan_conformance.check import Check, Outcome, Result, apply
from midspan_conformance.subject import Subject

__all__ = ["as_json", "as_line", "as_summary", "reach", "run"]


def reach(subject: Subject) -> None:
    """Raise NoAnswerError if nothing answers there at all."""
    subject.exchange.send(subject.host.health())


def run(checks: Iterable[Check], subject: Subject, report: Callable[[Result], None]) -> list[Result]:
    """Apply every check in turn, and report each result as soon as it is there."""
    results = []
    for one in checks:
        result = apply(one, subject)
        report(result)
        results.append(result)
    return results


def as_line(result: Result) -> str:
    """One result for people; a failure also says what was required."""
    mark = result.outcome.value.upper() if result.outcome is Outcome.FAILED else result.outcome.value
    line = f"{mark:8}{result.check.id:32}{result.evidence}"
    if result.outcome is Outcome.FAILED:
        line += f"\n{'':8}{'':32}requirement: {result.check.requirement} ({result.check.source})"
    return line


def as_summary(results: Sequence[Result]) -> str:
    """How many of each outcome."""
    counts = Counter(result.outcome for result in results)
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)


def as_json(subject: Subject, profile: str, results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for programs."""
    counts = Counter(result.outcome for result in results)
    return {
        "server": subject.host.name,
        "url": subject.exchange.url,
        "profile": profile,
        "summary": {outcome.value: counts[outcome] for outcome in Outcome},
        "results": [
            {
                "id": result.check.id,
                "outcome": result.outcome.value,
                "requirement": result.check.requirement,
                "source": result.check.source,
                "evidence": result.evidence,
                "duration_s": result.duration_s,
            }
            for result in results
        ],
    }
