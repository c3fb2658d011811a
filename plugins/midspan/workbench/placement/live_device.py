"""Slower devices than this one: the real work is done, and then drawn out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from midspan.errors import ConfigError
from midspan_client import Engine

__all__ = ["DEVICES", "MAX_FACTOR", "StretchedEngine", "check_factor"]

DEVICES: Final[Mapping[str, float]] = MappingProxyType({"pixel2": 8.0, "motox4": 11.0, "nexus5": 14.0})
"""How many times as long as one core of an ordinary server PieSlicer's three phones take for a photo.

Its published models say 39, 68 and 104 ms a megabyte and 63, 73 and 36 ms for any photo. For 1 to 3 MB that is 7 to 10,
10 to 14, and 13 to 14 times what Pillow took here (2.6 GHz: 10 ms for 0.6 MB, 25 ms for 2.7 MB). A small photo takes
less here than there: no factor makes up for what a phone spends on any photo.
"""
MAX_FACTOR: Final = 1000.0


def check_factor(factor: float) -> float:
    """That factor, if a device may have it: from 1 to `MAX_FACTOR`. Raises ConfigError."""
    if not 1 <= factor <= MAX_FACTOR:  # a NaN fails this too
        raise ConfigError(f"a device's factor must be between 1 and {MAX_FACTOR:.0f}, got {factor}")
    return factor


class StretchedEngine:
    """Does what another engine does, and takes `factor` times as long.

    The work's own duration is the time that its thread spent computing, so that other work on this machine does not
    make the emulated device slower; where it delays the work beyond the stretched time, nothing can be done.

    Args:
        engine: does the work.
        factor: at least 1.
        clock: monotonic seconds.
        work_clock: seconds that this thread has computed.
        sleep: waits so many seconds.

    Raises ConfigError for a factor below 1 or above `MAX_FACTOR`.

    """

    def __init__(
        self,
        engine: Engine,
        factor: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        work_clock: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._factor = check_factor(factor)
        self._clock = clock
        self._work_clock = work_clock
        self._sleep = sleep

    def decode(self, data: bytes, at_least_px: int) -> Any:
        """The other engine's picture, later."""
        with self._stretched():
            return self._engine.decode(data, at_least_px)

    def resize(self, image: Any, resize_px: int, side_px: int) -> Any:
        """The same."""
        with self._stretched():
            return self._engine.resize(image, resize_px, side_px)

    def encode(self, image: Any, quality: int) -> bytes:
        """The same."""
        with self._stretched():
            return self._engine.encode(image, quality)

    @contextmanager
    def _stretched(self) -> Iterator[None]:
        began_s, began_work_s = self._clock(), self._work_clock()
        yield
        rest_s = self._factor * (self._work_clock() - began_work_s) - (self._clock() - began_s)
        if rest_s > 0:
            self._sleep(rest_s)
