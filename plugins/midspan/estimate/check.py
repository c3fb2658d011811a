"""What an estimator lets in: numbers within bounds, from callers and from saved states alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.errors import InvalidValueError

__all__ = ["LIMIT", "duration", "numbers", "table", "transfer", "whole"]

LIMIT = 1e15
"""No number may be larger: beyond it, products of two overflow into infinities."""
MAX_BYTES = 1e12
MAX_S = 1e6


def numbers(values: Any, size: int, name: str, *, minimum: float = -LIMIT, maximum: float = LIMIT) -> list[float]:
    """That many numbers, each between `minimum` and `maximum`. Raises InvalidValueError."""
    if not isinstance(values, list | tuple) or len(values) != size:
        raise InvalidValueError(f"{name} must have {size} numbers")
    for value in values:
        # A NaN fails the comparison too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
            raise InvalidValueError(
                f"{name} must hold numbers between {minimum:g} and {maximum:g}, got {value!r}"[:300]
            )
    return [float(value) for value in values]


def whole(value: Any, name: str, *, minimum: int = 0, maximum: int = 2**53) -> int:
    """A whole number between `minimum` and `maximum`. Raises InvalidValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise InvalidValueError(f"{name} must be a whole number between {minimum} and {maximum}, got {value!r}"[:300])
    return value


def duration(seconds: float, name: str = "seconds") -> float:
    """A measured duration. Raises InvalidValueError if it is negative, not finite or beyond eleven days."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < MAX_S:
        raise InvalidValueError(f"{name} must be between 0 and {MAX_S:g}, got {seconds!r}"[:300])
    return float(seconds)


def transfer(features: Sequence[float]) -> tuple[float, float]:
    """The features of a link's estimator: (payload_bytes, at_s). Raises InvalidValueError."""
    payload_bytes, at_s = numbers(features, 2, "features", minimum=-math.inf, maximum=math.inf)
    if not 0 <= payload_bytes < MAX_BYTES:
        raise InvalidValueError(f"payload_bytes must be between 0 and {MAX_BYTES:g}, got {payload_bytes!r}")
    if not math.isfinite(at_s):
        raise InvalidValueError(f"at_s must be finite, got {at_s!r}")
    return payload_bytes, at_s


def table(state: Any, name: str) -> Mapping[str, Any]:
    """A saved state as a whole. Raises InvalidValueError if it is no table."""
    if not isinstance(state, Mapping):
        raise InvalidValueError(f"a saved {name} must be a table, got {type(state).__name__}")
    return state
