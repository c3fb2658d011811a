"""How long did a request wait before its worker took it? A bound from what the worker sees, a mean from the host."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backlog", "unknown_mean"]

AT_ONCE_S = 0.001
"""A worker that takes a batch sooner than this after the last one has probably found it waiting."""
IDLE_GAP_S = 0.05
"""A worker that takes a batch later than this was idle, unless the host is crowded: then it is slow to hand over."""
QUIET_S = 0.001
"""A host whose requests wait less than this on average has no queue."""


def unknown_mean() -> float | None:
    """For a host whose counters nobody reads."""
    return None


class Backlog:
    """Bounds the queueing time of a batch, and estimates it where the host's mean is known.

    A worker that was idle takes a request at once: its wait is 0. A worker that comes back for more soon after a batch
    may find what arrived meanwhile; nothing in the new batch is older than the moment when this worker last left the
    queue empty, which it did whenever it took less than a full batch. If the host says that nobody waits these days,
    that is better knowledge than the bound, but not for what is taken at once: a queue may just have begun.
    """

    def __init__(self, max_batch_size: int, host_mean_s: Callable[[], float | None] = unknown_mean) -> None:
        self._max_batch_size = max_batch_size
        self._host_mean_s = host_mean_s
        self._emptied_at = 0.0
        self._ended_at = float("-inf")

    def start(self, now: float, batch_size: int) -> tuple[float, float]:
        """A batch is taken at `now`: the expected and the greatest time in seconds that its requests have waited."""
        mean_s = self._host_mean_s()
        gap_s = now - self._ended_at
        crowded = mean_s is not None and mean_s >= QUIET_S
        idle = gap_s > IDLE_GAP_S and not crowded
        bound_s = 0.0 if idle else now - self._emptied_at
        if idle or batch_size < self._max_batch_size:
            self._emptied_at = now
        if mean_s is None:
            return 0.0, bound_s
        expected_s = min(mean_s, bound_s)
        return expected_s, bound_s if crowded or gap_s < AT_ONCE_S else expected_s

    def end(self, now: float) -> None:
        """The batch is answered."""
        self._ended_at = now
