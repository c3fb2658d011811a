"""What a check is, and what came of it."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midspan_conformance.exchange import NoAnswerError

if TYPE_CHECKING:
    from midspan_conformance.subject import Subject

__all__ = ["Check", "FailedError", "Outcome", "Result", "SkippedError", "apply", "check", "require"]


class Outcome(enum.Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class FailedError(Exception):
    """The requirement is not met; the text says what was got and what was required."""


class SkippedError(Exception):
    """The requirement does not apply to this server, or cannot be tried on it; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement and how to try it.

    `id` is stable: a release may add checks, and never gives an old id a new meaning. `source` says where the
    requirement comes from. `body` returns its evidence, or raises FailedError or SkippedError.
    """

    id: str
    requirement: str
    source: str
    body: Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check. `evidence` is what was seen, or the reason for the skip."""

    check: Check
    outcome: Outcome
    evidence: str
    duration_s: float


def check(id: str, requirement: str, source: str) -> Callable[[Callable[[Subject], str]], Check]:  # noqa: A002
    """Turn a function over a subject into a Check."""
    return lambda body: Check(id, requirement, source, body)


def require(condition: object, text: str) -> None:
    """Raise FailedError with `text` unless `condition` holds."""
    if not condition:
        raise FailedError(text)


def apply(one: Check, subject: Subject) -> Result:
    """Try one check on one server. Raises nothing but bugs of the kit's own."""
    started = time.perf_counter()
    try:
        outcome, evidence = Outcome.PASSED, one.body(subject)
    except SkippedError as reason:
        outcome, evidence = Outcome.SKIPPED, str(reason)
    except (FailedError, NoAnswerError) as error:
        outcome, evidence = Outcome.FAILED, str(error)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # checks read answers as if they were as the contract says; one that is not ends here
        outcome, evidence = Outcome.FAILED, f"the answer has another shape than required: {error!r}"[:500]
    return Result(one, outcome, evidence, time.perf_counter() - started)
