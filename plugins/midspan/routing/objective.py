"""What the caller wants of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from midspan.errors import InvalidValueError

__all__ = ["GOALS", "Goal", "Objective"]

Goal: TypeAlias = Literal["time", "accuracy", "bytes"]
GOALS: Final = ("time", "accuracy", "bytes")


@dataclass(frozen=True, slots=True)
class Objective:
    """Least time, highest accuracy, or fewest bytes; within `sla_s` and with at least `min_accuracy` where possible.

    Attributes:
        goal: "time", "accuracy" or "bytes".
        sla_s: the answer should be there after this many seconds.
        min_accuracy: expected top-1 should be at least this fraction.

    Both limits are wishes: where no route keeps them, the nearest one is taken and the choice says so. Raises
    InvalidValueError for anything else than the above.

    """

    goal: Goal = "time"
    sla_s: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise InvalidValueError(f"goal must be one of {', '.join(GOALS)}, got {self.goal!r}")
        if self.sla_s is not None and not (_is_number(self.sla_s) and 0 < self.sla_s < math.inf):
            raise InvalidValueError(f"sla_s must be a finite number of seconds above 0, got {self.sla_s!r}")
        if self.min_accuracy is not None and not (_is_number(self.min_accuracy) and 0 <= self.min_accuracy <= 1):
            raise InvalidValueError(f"min_accuracy must be a fraction between 0 and 1, got {self.min_accuracy!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
