"""Trying again: a few times, later each time, never all devices at the same moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from midspan_client.errors import MidspanClientError

__all__ = ["Retry"]

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """Waits about 0.2, 0.8, 3.2 … s between attempts, at most 5 s, each shortened by up to a quarter at random.

    Three retries outlast the 3 s in which Midspan's watchdog brings a dead worker back. Only for calls that may safely
    reach the server twice. `sleep` and `rng` are there for tests.
    """

    retries: int = 3
    first_s: float = 0.2
    factor: float = 4.0
    most_s: float = 5.0
    rng: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], None] = time.sleep

    def pause_s(self, attempt: int) -> float:
        """How long to wait after the attempt of that number, 1 being the first."""
        return min(self.first_s * self.factor ** (attempt - 1), self.most_s) * (1 - self.rng.random() / 4)

    def run(self, call: Callable[[], T]) -> tuple[T, int]:
        """What `call` returns, and how many attempts it took. Raises its last error, with `attempts` set."""
        attempt = 1
        while True:
            try:
                return call(), attempt
            except MidspanClientError as error:
                error.attempts = attempt
                if not error.retryable or attempt > self.retries:
                    raise
            self.sleep(self.pause_s(attempt))
            attempt += 1
