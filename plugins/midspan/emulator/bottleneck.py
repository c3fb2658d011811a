"""One direction of a link: the place where all its connections wait for each other, and how long bytes travel then."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from midspan.emulator.link import TraceStep
from midspan.emulator.schedule import Schedule

__all__ = ["Bottleneck"]

AHEAD_S: Final = 0.05
"""How far readers run ahead of the link: its queue. A machine that stalls for less than that loses no rate."""

CHUNK_S: Final = 0.005
MIN_CHUNK_BYTES: Final = 1_460
MAX_CHUNK_BYTES: Final = 65_536
"""A chunk is what passes in CHUNK_S: short enough to share the link fairly, long enough to keep the processor cool."""


class Bottleneck:
    """A virtual clock that says when bytes have left, given the rate and what went before. Belongs to one event loop.

    `passed_bytes` counts what came out at the other end; whoever delivers adds to it.
    """

    def __init__(
        self, steps: Sequence[TraceStep], jitter_s: float, *, rng: random.Random, clock: Callable[[], float]
    ) -> None:
        self.passed_bytes = 0
        self._rng = rng
        self._clock = clock
        self._turn = asyncio.Lock()  # first come, first served
        self._front: asyncio.Future[bool] | None = None
        self._free_s = -math.inf
        self.change(steps, jitter_s)

    def change(self, steps: Sequence[TraceStep], jitter_s: float) -> None:
        """From now on the link is like this, also for the chunk that waits at its front."""
        self._schedule = Schedule(steps)
        self._jitter_s = jitter_s
        self._origin_s = self._clock()
        if self._front is not None:
            _settle(self._front, False)

    def chunk_bytes(self) -> int:
        """How much to read at once."""
        rate = self._schedule.rate(self._clock() - self._origin_s)
        return max(MIN_CHUNK_BYTES, min(int(rate * CHUNK_S), MAX_CHUNK_BYTES))

    async def transmit(self, payload_bytes: int) -> float:
        """Take a turn. Returns, up to AHEAD_S early, when the last byte comes out at the other end (by the clock)."""
        arrived_s = self._clock()
        async with self._turn:
            left_s = await self._leave(arrived_s, payload_bytes)
            self._free_s = left_s
        delay_s = self._schedule.delay_s(left_s - self._origin_s) + self._rng.uniform(-self._jitter_s, self._jitter_s)
        return left_s + max(delay_s, 0.0)

    async def _leave(self, arrived_s: float, payload_bytes: int) -> float:
        while True:
            start_s = max(arrived_s, self._free_s, self._origin_s)
            left_s = self._origin_s + self._schedule.through_s(start_s - self._origin_s, payload_bytes)
            wait_s = left_s - AHEAD_S - self._clock()
            if wait_s <= 0 or await self._undisturbed_for(wait_s):
                return left_s

    async def _undisturbed_for(self, wait_s: float) -> bool:
        """Wait; but return False as soon as the link changes, for then the time is no longer right."""
        # Not asyncio.wait_for: before Python 3.12 it swallows a cancellation that comes just as the wait is over.
        self._front = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(wait_s, _settle, self._front, True)
        try:
            return await self._front
        finally:
            timer.cancel()
            self._front = None


def _settle(front: asyncio.Future[bool], undisturbed: bool) -> None:
    if not front.done():
        front.set_result(undisturbed)
