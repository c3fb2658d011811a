"""What a route costs the device in energy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from midspan.errors import InvalidValueError
from midspan.routing.route import Route

__all__ = ["CNNSELECT", "PIESLICER", "TYPICAL", "EnergyModel"]

BYTES_PER_KB = 1000


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """energy_j = j_per_kb * kB sent + device_w * device_s + waiting_w * (send_s + server_s).

    Attributes:
        j_per_kb: joules for each 1000 bytes sent. Over Wi-Fi at least 0.005 (Rice and Hay, 2010, as the PieSlicer paper
            takes it in section 6.3).
        device_w: watts while the device works on the photo. At most 8 on a Pixel's Visual Core (PieSlicer, section
            6.3).
        waiting_w: watts while the device waits for the network and the server. A Nexus 5 that asks a cloud takes 44.4%
            more than the 1.08124 W of its idle state with the screen on (CNNSelect, section 4.2), so 0.48.

    The default is what a request adds to an idle device, by both papers; it counts the radio a little more than once,
    as what the waiting device takes includes it. Measure your own device where it matters. Raises InvalidValueError
    for numbers that are negative or not finite.

    """

    j_per_kb: float = 0.005
    device_w: float = 8.0
    waiting_w: float = 0.48

    def __post_init__(self) -> None:
        for name in ("j_per_kb", "device_w", "waiting_w"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
                raise InvalidValueError(f"{name} must be a finite number of at least 0, got {value!r}")

    def energy_j(self, route: Route) -> float:
        """Predicted joules of a route."""
        return (
            self.j_per_kb * (route.bytes_up / BYTES_PER_KB)
            + self.device_w * route.device_s
            + self.waiting_w * (route.send_s + route.server_s)
        )


TYPICAL: Final = EnergyModel()
"""What a request adds to an idle device, by both papers."""
PIESLICER: Final = EnergyModel(0.005, 8.0, 0.0)
"""PieSlicer, section 6.3: sending by the byte, preprocessing by the second, waiting for nothing."""
CNNSELECT: Final = EnergyModel(0.0, 3.249, 1.5616)
"""CNNSelect, section 4.2 and table 6: time multiplied by the average power, that of the idle device included.

1.5616 W while a Nexus 5 asks a cloud, 3.249 W while it works by itself (with Caffe; 2.9626 W with CNNDroid).
"""
