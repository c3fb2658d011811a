"""One line of a benchmark: our figure, the peer's, and whether their ratio keeps its limit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row", "at_least", "at_most", "not_applicable"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: our figure, the peer's figure, their ratio and its limit. `unit` is of the first two.

    Figures, ratio and `holds` are None where there was nothing to measure.
    """

    measure: str
    ours: float | None
    peer: float | None
    ratio: float | None
    limit: str
    holds: bool | None
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


def not_applicable(measure: str) -> Row:
    """A row that says that there was nothing to measure."""
    return Row(measure, None, None, None, "not applicable", None, "")
