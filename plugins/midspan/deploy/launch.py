"""What it takes to start one server; made by `midspan.deploy.triton` and `midspan.deploy.torchserve`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Launch", "no_token"]


def no_token() -> str:
    """What a server without token authorization asks for."""
    return ""


@dataclass(frozen=True, slots=True)
class Launch:
    """One way to start a server.

    `directory` is where it runs and writes. `token` finds the bearer token that inference needs; a restart makes a new
    one. `loaded` tells, once a first
    answer was right, whether all workers are up.
    """

    command: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    shared_memory_prefix: str = ""
    token: Callable[[], str] = no_token
    loaded: Callable[[], bool] = lambda: True
