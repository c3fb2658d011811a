"""Ways to spoil a saved state, for the laws of estimators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["at", "damaged", "paths"]


def paths(state: Any) -> Iterator[tuple[str | int, ...]]:
    """Ways to every value; of a list, to the first and the last."""
    keys: Sequence[Any] = list(state) if isinstance(state, Mapping) else []
    if isinstance(state, list) and state:
        keys = sorted({0, len(state) - 1})
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in paths(state[key]))


def at(state: Any, path: Sequence[str | int]) -> Any:
    """What is there."""
    for key in path:
        state = state[key]
    return state


def damaged(state: dict[str, Any], path: Sequence[str | int], *value: Any) -> dict[str, Any]:
    """With the value in its place; without one, with nothing there."""
    table = at(state, path[:-1])
    if value:
        table[path[-1]] = value[0]
    else:
        del table[path[-1]]
    return state
