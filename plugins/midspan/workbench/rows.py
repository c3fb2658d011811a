"""One line of a benchmark: our figure, the peer's, and whether their ratio keeps its limit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row", "at_least", "at_most"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: our figure, the peer's figure, their ratio and its limit. `unit` is of the first two."""

    measure: str
    ours: float
    peer: float
    ratio: float
    limit: str
    holds: bool
    unit: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def at_most(measure: str, ours: float, peer: float, limit: float, unit: str = "ms") -> Row:
    """A row whose ratio ours / peer must not exceed the limit."""
    return Row(measure, ours, peer, ours / peer, f"<= {limit}", ours / peer <= limit, unit)


def at_least(measure: str, ours: float, peer: float, ratio: float, limit: float, unit: str) -> Row:
    """A row whose ratio must reach the limit."""
    return Row(measure, ours, peer, ratio, f">= {limit}", ratio >= limit, unit)
