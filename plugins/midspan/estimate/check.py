"""What an estimator lets in: numbers within bounds, from callers and from saved states alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError

__all__ = ["LIMIT", "duration", "number", "numbers", "table", "transfer", "whole"]

LIMIT = 1e15
"""No number may be larger: beyond it, products of two overflow into infinities."""
MAX_BYTES = 1e12
MAX_S = 1e6


def number(value: Any, name: str, *, minimum: float = -LIMIT, maximum: float = LIMIT) -> float:
    """A number between `minimum` and `maximum`. Raises InvalidValueError."""
    # A NaN fails the comparison too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
        raise InvalidValueError(f"{name} must be between {minimum:g} and {maximum:g}, got {value!r}"[:300])
    return float(value)


def numbers(values: Any, size: int, name: str, *, minimum: float = -LIMIT, maximum: float = LIMIT) -> list[float]:
    """That many numbers, each between `minimum` and `maximum`. Raises InvalidValueError."""
    if not isinstance(values, list | tuple) or len(values) != size:
        raise InvalidValueError(f"{name} must have {size} numbers")
    return [number(value, name, minimum=minimum, maximum=maximum) for value in values]


def whole(value: Any, name: str, *, minimum: int = 0, maximum: int = 2**53) -> int:
    """A whole number between `minimum` and `maximum`. Raises InvalidValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise InvalidValueError(f"{name} must be a whole number between {minimum} and {maximum}, got {value!r}"[:300])
    return value


def duration(seconds: float, name: str = "seconds") -> float:
    """A measured duration. Raises InvalidValueError if it is negative, not finite or beyond eleven days."""
    return number(seconds, name, minimum=0.0, maximum=MAX_S)


def transfer(features: Sequence[float]) -> tuple[float, float]:
    """The features of a link's estimator: (payload_bytes, at_s). Raises InvalidValueError."""
    if not isinstance(features, list | tuple) or len(features) != 2:
        raise InvalidValueError("features must be payload_bytes and at_s")
    payload_bytes, at_s = features
    return number(payload_bytes, "payload_bytes", minimum=0.0, maximum=MAX_BYTES), number(at_s, "at_s")


def table(state: Any, name: str) -> Mapping[str, Any]:
    """A saved state as a whole. Raises InvalidValueError if it is no table."""
    if not isinstance(state, Mapping):
        raise InvalidValueError(f"a saved {name} must be a table, got {type(state).__name__}")
    return state
