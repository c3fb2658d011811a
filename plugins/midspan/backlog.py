"""How long did a request wait before its worker took it? No host says, so this bounds it from what the worker sees."""

from __future__ import annotations

__all__ = ["Backlog"]

IDLE_GAP_S = 0.001
"""A worker that takes a batch sooner than this after the last one may have found it waiting."""


class Backlog:
    """Bounds the queueing time of a batch.

    A worker that was idle takes a request at once: its wait is 0, exactly. A worker that comes back for more right
    after a batch finds what arrived meanwhile; nothing in the new batch is older than the moment when this worker last
    left the queue empty, which it did whenever it took less than a full batch. The expected wait is half of that bound.
    """

    def __init__(self, max_batch_size: int) -> None:
        self._max_batch_size = max_batch_size
        self._emptied_at = 0.0
        self._ended_at = float("-inf")

    def start(self, now: float, batch_size: int) -> tuple[float, float]:
        """A batch is taken at `now`: the expected and the greatest time in seconds that its requests have waited."""
        idle = now - self._ended_at > IDLE_GAP_S
        bound_s = 0.0 if idle else now - self._emptied_at
        if idle or batch_size < self._max_batch_size:
            self._emptied_at = now
        return bound_s / 2, bound_s

    def end(self, now: float) -> None:
        """The batch is answered."""
        self._ended_at = now
