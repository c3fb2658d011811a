"""When bytes get through a link whose rate changes: the maths of the emulator, without clocks and sockets."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from midspan.emulator.link import TraceStep

__all__ = ["Schedule"]


class Schedule:
    """One direction of a link, over and over again from the time 0 on.

    C(t), the bytes that can have passed by the time t, is piecewise linear and never falls. So n bytes that start at s
    are through at C⁻¹(C(s) + n), the earliest time by which so many more can have passed: two binary searches,
    however many steps and outages lie between.
    """

    def __init__(self, steps: Sequence[TraceStep]) -> None:
        seconds = [step.duration_ms / 1e3 for step in steps]
        self._rates = [step.mbps * 1e6 / 8 for step in steps]
        self._delays_s = [step.delay_ms / 1e3 for step in steps]
        self._times = [0.0, *accumulate(seconds)]
        self._bytes = [0.0, *accumulate(s * rate for s, rate in zip(seconds, self._rates, strict=True))]

    def rate(self, at_s: float) -> float:
        """Bytes per second at the time `at_s`."""
        return self._rates[self._locate(at_s)[1]]

    def delay_s(self, at_s: float) -> float:
        """Seconds that a byte then takes from one end to the other, once it has left."""
        return self._delays_s[self._locate(at_s)[1]]

    def through_s(self, start_s: float, payload_bytes: int) -> float:
        """When the last of `payload_bytes` that start at `start_s` has left; infinite if nothing ever passes."""
        if payload_bytes == 0:
            return start_s
        round_s, round_bytes = self._times[-1], self._bytes[-1]
        if round_bytes == 0:
            return math.inf
        rounds, step, into_s = self._locate(start_s)
        rest = self._bytes[step] + self._rates[step] * into_s + payload_bytes
        # A target at the very end of a round belongs to that round, not to the next.
        more = max(math.ceil(rest / round_bytes) - 1, 0)
        target = min(rest - more * round_bytes, round_bytes)
        if target <= 0:  # by rounding alone
            more, target = more - 1, round_bytes
        # The first step that ends at or beyond the target; its rate is above 0, as its bytes are more than before.
        last = bisect_left(self._bytes, target) - 1
        offset_s = self._times[last] + (target - self._bytes[last]) / self._rates[last]
        return max((rounds + more) * round_s + offset_s, start_s)

    def _locate(self, at_s: float) -> tuple[int, int, float]:
        rounds, within_s = divmod(max(at_s, 0.0), self._times[-1])
        step = min(bisect_right(self._times, within_s), len(self._rates)) - 1
        return int(rounds), step, within_s - self._times[step]
