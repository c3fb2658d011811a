"""A route: one way to answer a request, and what it is predicted to cost."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from midspan.errors import InvalidValueError

__all__ = ["Part", "Route"]

_MOST = sys.float_info.max
"""The largest number that is finite, for whole numbers too."""


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a route's predicted time.

    Attributes:
        name: "device", "link", "prepare" (in-cloud preprocessing), "fixed" (the rest of the server's time), or a
            provider's own.
        seconds: predicted.
        sd_s: standard deviation of the error that is to be expected, or None where nobody knows.

    Raises InvalidValueError for seconds that are negative, infinite or not a number.

    """

    name: str
    seconds: float
    sd_s: float | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.seconds <= _MOST and (self.sd_s is None or 0 <= self.sd_s <= _MOST)):
            raise InvalidValueError(
                f"part {self.name!r}: seconds must be finite and at least 0, got {self.seconds} and sd_s={self.sd_s}"
            )


@dataclass(frozen=True, slots=True)
class Route:
    """One way to answer a request.

    Attributes:
        name: what it does, for people and logs: "original", "resized".
        provider: name of the route provider that offers it and will execute it.
        variant: name of the model variant that answers; "" leaves it to the server.
        cut: the place in the variant's graph at which the payload enters; 0 is the input.
        codec: how the payload is encoded; "" is an image as it is.
        bytes_up: predicted bytes of the payload.
        device_s: predicted seconds of work on the device.
        send_s: predicted seconds on the network, both directions.
        server_s: predicted seconds on the server, its queue included.
        accuracy: expected top-1 as a fraction, or None where nobody measured it.
        parts: what the predicted seconds are made of, for people: the chooser reads the sums above alone.
        plan: the provider's own notes, opaque to everybody else.

    Raises InvalidValueError for a cost that is negative, infinite or not a number, so that no chooser has to look.

    """

    name: str
    provider: str
    variant: str
    bytes_up: int
    device_s: float
    send_s: float
    server_s: float
    accuracy: float | None = None
    cut: int = 0
    codec: str = ""
    parts: tuple[Part, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (
            0 <= self.device_s <= _MOST
            and 0 <= self.send_s <= _MOST
            and 0 <= self.server_s <= _MOST
            and 0 <= self.bytes_up <= _MOST
        ):
            raise InvalidValueError(
                f"route {self.name!r}: costs must be finite and at least 0, got device_s={self.device_s}, "
                f"send_s={self.send_s}, server_s={self.server_s}, bytes_up={self.bytes_up}"
            )
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise InvalidValueError(f"route {self.name!r}: accuracy must be between 0 and 1, got {self.accuracy}")
        for part in self.parts:
            if type(part) is not Part:
                raise InvalidValueError(f"route {self.name!r}: parts must be Parts, got {part!r}"[:300])

    @property
    def total_s(self) -> float:
        """Predicted seconds from the decision to the answer."""
        return self.device_s + self.send_s + self.server_s
