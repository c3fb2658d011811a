"""The one chooser: it minimises the objective over all routes, whoever offers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from midspan.errors import InvalidValueError
from midspan.routing.objective import Goal, Objective
from midspan.routing.route import Route

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The route to take, all that were offered (in the order in which they were), why this one, and for what."""

    route: Route
    routes: tuple[Route, ...]
    reason: str
    objective: Objective


def choose(routes: Sequence[Route], objective: Objective) -> Choice:
    """The best route for the objective.

    Of the routes that keep both limits, the best by the goal. Where none does, the fastest of those that are accurate
    enough; where none is accurate enough either, the most accurate. An unknown accuracy counts as worse than any known
    one and keeps no `min_accuracy`. Equals are decided by time, accuracy and bytes, then by who was offered first.

    Raises InvalidValueError if there is no route.
    """
    if not routes:
        raise InvalidValueError("there is no route to choose from")
    sla_s, min_accuracy = objective.sla_s, objective.min_accuracy
    accurate = routes if min_accuracy is None else [route for route in routes if _accuracy(route) >= min_accuracy]
    within = accurate if sla_s is None else [route for route in accurate if route.total_s <= sla_s]
    if within:
        best = min(within, key=_key(objective))
        word = "the least of time and energy" if objective.s_per_joule else _WORDS[objective.goal]
        reason = f"{word} of {len(within)}{_limits(objective)}"
    elif accurate:
        best = min(accurate, key=_by_time)
        reason = f"the fastest, as none answers within {sla_s:.3f} s: it takes {best.total_s:.3f} s"
    else:
        best = min(routes, key=_by_accuracy)
        known = "unknown" if best.accuracy is None else f"{best.accuracy:.3f}"
        reason = f"the most accurate ({known}), as none reaches {min_accuracy:.3f}"
    return Choice(best, tuple(routes), reason, objective)


def _accuracy(route: Route) -> float:
    return -1.0 if route.accuracy is None else route.accuracy


def _by_time(route: Route) -> tuple[float, float, float]:
    return route.total_s, -_accuracy(route), route.bytes_up


def _by_accuracy(route: Route) -> tuple[float, float, float]:
    return -_accuracy(route), route.total_s, route.bytes_up


def _by_bytes(route: Route) -> tuple[float, float, float]:
    return route.bytes_up, route.total_s, -_accuracy(route)


def _key(objective: Objective) -> Callable[[Route], tuple[float, ...]]:
    energy_j, s_per_joule = objective.energy.energy_j, objective.s_per_joule
    if objective.goal == "energy":
        return lambda route: (energy_j(route), *_by_time(route))
    if s_per_joule:
        return lambda route: (route.total_s + s_per_joule * energy_j(route), *_by_time(route))
    return _KEYS[objective.goal]


def _limits(objective: Objective) -> str:
    limits = [] if objective.sla_s is None else [f"within {objective.sla_s:.3f} s"]
    if objective.min_accuracy is not None:
        limits.append(f"with accuracy {objective.min_accuracy:.3f} or more")
    return "".join(f" {limit}" for limit in limits)


_KEYS: Final[dict[Goal, Callable[[Route], tuple[float, ...]]]] = {
    "time": _by_time,
    "accuracy": _by_accuracy,
    "bytes": _by_bytes,
}
_WORDS: Final[dict[Goal, str]] = {
    "time": "the fastest",
    "accuracy": "the most accurate",
    "bytes": "the fewest bytes",
    "energy": "the least energy",
}
