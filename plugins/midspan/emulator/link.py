"""What a link is like: a constant profile, or a trace of how it changed. Rates are in Mbit/s (10^6), times in ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from midspan.errors import ConfigError

__all__ = ["MAX_DELAY_MS", "MAX_MBPS", "MIN_MBPS", "PROFILES", "LinkProfile", "LinkTrace", "TraceStep", "named_profile"]

MIN_MBPS: Final = 0.001
MAX_MBPS: Final = 10_000.0
MAX_DELAY_MS: Final = 60_000.0
MAX_STEP_MS: Final = 86_400_000.0


def _check(what: str, value: float, most: float, unit: str, least: float = 0.0) -> None:
    if not (value == 0 or least <= value <= most):
        allowed = f"0 to {most:.0f} {unit}" if least == 0 else f"0 or {least} to {most:.0f} {unit}"
        raise ConfigError(f"{what} must be {allowed}, got {value}")


@dataclass(frozen=True, slots=True)
class TraceStep:
    """A stretch of time in which a link keeps its rate and its delay. A rate of 0 is an outage: nothing passes."""

    duration_ms: float
    mbps: float
    delay_ms: float

    def __post_init__(self) -> None:
        """Raise ConfigError for what no link can be."""
        if not 0 < self.duration_ms <= MAX_STEP_MS:  # a NaN fails every comparison
            raise ConfigError(f"a step must last more than 0 and at most {MAX_STEP_MS:.0f} ms, got {self.duration_ms}")
        _check("rate", self.mbps, MAX_MBPS, "Mbit/s", least=MIN_MBPS)
        _check("delay", self.delay_ms, MAX_DELAY_MS, "ms")


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """A link that stays as it is.

    `delay_ms` is one way, so a round trip costs twice as much; `jitter_ms` is how far the delay of a chunk strays from
    it at most, either way (uniform). A rate of 0 is an outage. Raises ConfigError for values that no link can have.
    """

    name: str
    up_mbps: float
    down_mbps: float
    delay_ms: float = 0.0
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        """Raise ConfigError for what no link can be."""
        _check("up_mbps", self.up_mbps, MAX_MBPS, "Mbit/s", least=MIN_MBPS)
        _check("down_mbps", self.down_mbps, MAX_MBPS, "Mbit/s", least=MIN_MBPS)
        _check("delay_ms", self.delay_ms, MAX_DELAY_MS, "ms")
        _check("jitter_ms", self.jitter_ms, MAX_DELAY_MS, "ms")

    @property
    def up(self) -> tuple[TraceStep, ...]:
        """From the device to the server, as a trace of one step."""
        return (TraceStep(MAX_STEP_MS, self.up_mbps, self.delay_ms),)

    @property
    def down(self) -> tuple[TraceStep, ...]:
        """From the server to the device, as a trace of one step."""
        return (TraceStep(MAX_STEP_MS, self.down_mbps, self.delay_ms),)


@dataclass(frozen=True, slots=True)
class LinkTrace:
    """A link that changes as it did when somebody measured it; begins again when it is over.

    Raises ConfigError for a direction without steps, or one through which nothing ever passes.
    """

    name: str
    up: tuple[TraceStep, ...]
    down: tuple[TraceStep, ...]
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        """Raise ConfigError for what no link can be."""
        _check("jitter_ms", self.jitter_ms, MAX_DELAY_MS, "ms")
        for steps in (self.up, self.down):
            if not any(step.mbps for step in steps):
                raise ConfigError(f"trace {self.name!r} needs at least one step with a rate above 0")


PROFILES: Final[Mapping[str, LinkProfile]] = MappingProxyType(
    {
        # Wi-Fi in front of an average fixed line. Speedtest Global Index, September 2020: 85.73 Mbit/s down, 45.74 up,
        # 21 ms there and back. The jitter is ours.
        "wifi": LinkProfile("wifi", up_mbps=45.74, down_mbps=85.73, delay_ms=10.5, jitter_ms=1),
        # WebPageTest's connectivity profile "LTE (12 Mbps, 70ms RTT)". Jitter: Loadero's "4G" has 5 ms.
        "lte": LinkProfile("lte", up_mbps=12, down_mbps=12, delay_ms=35, jitter_ms=5),
        # WebPageTest's "3G (1.6 Mbps/768 Kbps 300ms RTT)". Jitter: Loadero's "3G" has a fifth of its delay.
        "3g": LinkProfile("3g", up_mbps=0.768, down_mbps=1.6, delay_ms=150, jitter_ms=30),
    }
)
"""Typical links by name; each value's source stands beside it."""


def named_profile(name: str, profiles: Mapping[str, LinkProfile] = PROFILES) -> LinkProfile:
    """The profile of that name. Raises ConfigError, naming those that there are."""
    if name not in profiles:
        raise ConfigError(f"no link profile is called {name!r}; there are {', '.join(profiles)}")
    return profiles[name]
