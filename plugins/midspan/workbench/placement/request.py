"""One request of an experiment: the photo, and what each of the two choices costs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Choice", "Measured", "PhotoSize", "Request"]

Choice: TypeAlias = Literal["local", "remote"]
"""Where to preprocess: on the device, or in the cloud."""


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """What a policy may know of a photo before it decides: what its header and its length say."""

    photo_bytes: int
    width_px: int
    height_px: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px


@dataclass(frozen=True, slots=True)
class Measured:
    """The four components of one request's time (PieSlicer, section 4.1), and what it sent.

    Attributes:
        device_s: seconds of preprocessing on the device; 0 where the original is sent.
        link_s: seconds on the network, both directions.
        prepare_s: seconds of preprocessing in the cloud.
        fixed_s: all other seconds on the server, whatever the photo ("cloud preparation").
        bytes_up: bytes sent.

    """

    device_s: float
    link_s: float
    prepare_s: float
    fixed_s: float
    bytes_up: int

    @property
    def total_s(self) -> float:
        """The sum of the four."""
        return self.device_s + self.link_s + self.prepare_s + self.fixed_s


@dataclass(frozen=True, slots=True)
class Request:
    """What each choice costs, of which a policy sees one, and only afterwards.

    Attributes:
        photo: what is known before.
        at_s: when it begins, in seconds since the first.
        local: the cost of preprocessing on the device.
        remote: the cost of sending the original.
        local_mean_s: what a model without error predicts for `local`: the noise is left out.
        remote_mean_s: the same for `remote`.

    """

    photo: PhotoSize
    at_s: float
    local: Measured
    remote: Measured
    local_mean_s: float
    remote_mean_s: float

    def cost(self, choice: Choice) -> Measured:
        """What that choice costs."""
        return self.local if choice == "local" else self.remote
