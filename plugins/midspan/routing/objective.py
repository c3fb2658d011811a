"""What the caller wants of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from midspan.errors import InvalidValueError
from midspan.routing.energy import TYPICAL, EnergyModel

__all__ = ["GOALS", "Goal", "Objective"]

Goal: TypeAlias = Literal["time", "accuracy", "bytes", "energy"]
GOALS: Final = ("time", "accuracy", "bytes", "energy")


@dataclass(frozen=True, slots=True)
class Objective:
    """Least time, highest accuracy, fewest bytes or least energy; `sla_s` and `min_accuracy` kept where possible.

    Attributes:
        goal: "time", "accuracy", "bytes" or "energy".
        sla_s: the answer should be there after this many seconds.
        min_accuracy: expected top-1 should be at least this fraction.
        s_per_joule: seconds that a joule is worth, with the goal "time": the least total_s + s_per_joule * energy_j.
        energy: what a route costs the device in joules.

    Both limits are wishes: where no route keeps them, the nearest one is taken and the choice says so. Raises
    InvalidValueError for anything else than the above.

    """

    goal: Goal = "time"
    sla_s: float | None = None
    min_accuracy: float | None = None
    s_per_joule: float = 0.0
    energy: EnergyModel = TYPICAL

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise InvalidValueError(f"goal must be one of {', '.join(GOALS)}, got {self.goal!r}")
        if self.sla_s is not None and not (_is_number(self.sla_s) and 0 < self.sla_s < math.inf):
            raise InvalidValueError(f"sla_s must be a finite number of seconds above 0, got {self.sla_s!r}")
        if self.min_accuracy is not None and not (_is_number(self.min_accuracy) and 0 <= self.min_accuracy <= 1):
            raise InvalidValueError(f"min_accuracy must be a fraction between 0 and 1, got {self.min_accuracy!r}")
        if not (_is_number(self.s_per_joule) and 0 <= self.s_per_joule < math.inf):
            raise InvalidValueError(f"s_per_joule must be a finite number of at least 0, got {self.s_per_joule!r}")
        if self.s_per_joule and self.goal != "time":
            raise InvalidValueError(f"s_per_joule goes with the goal time, got {self.goal}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
