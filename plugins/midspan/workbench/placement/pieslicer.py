"""PieSlicer as its paper has it: least squares on bytes, retrained; a delta for the network; two fast checks."""

from __future__ import annotations

from midspan.estimate.delta import DeltaLink
from midspan.estimate.retrained import RetrainedLinear
from midspan.workbench.placement.cells import Constants
from midspan.workbench.placement.request import Choice, Measured, PhotoSize

__all__ = ["PieSlicer"]


class PieSlicer:
    """Section 5.2: on the device if T_prep^m + T_nw + T_prep^c of that is less than T_nw + T_prep^c of the original.

    What would be sent is "the average size of previously preprocessed images", at first the published one.

    Args:
        constants: those of the published code.
        delta: adapt to the network's variations (False: the line alone).
        checks: skip the models for small photos.

    """

    def __init__(self, constants: Constants, *, delta: bool = True, checks: bool = True) -> None:
        self._device = RetrainedLinear(1)
        self._cloud = RetrainedLinear(1)
        self._link = DeltaLink(constants.alpha if delta else 0.0)
        self._skip_below_bytes = constants.skip_below_bytes if checks else 0
        self._skip_below_pixels = constants.target_side_px**2 if checks else 0
        self._sent_bytes, self._sent = float(constants.sent_bytes), 1

    def choose(self, photo: PhotoSize, at_s: float) -> Choice:
        """The checks, then the models."""
        if photo.photo_bytes < self._skip_below_bytes or photo.pixels < self._skip_below_pixels:
            return "remote"
        local_s = self._device.predict_one((photo.photo_bytes / 1e6,)) + self._cost_s(self._sent_bytes, at_s)
        return "local" if local_s < self._cost_s(photo.photo_bytes, at_s) else "remote"

    def learn(self, photo: PhotoSize, choice: Choice, measured: Measured, at_s: float) -> None:
        """Each component by itself. Cloud preparation is the same for both and left out."""
        self._link.learn_one((measured.bytes_up, at_s), measured.link_s)
        self._cloud.learn_one((measured.bytes_up / 1e6,), measured.prepare_s)
        if choice == "local":
            self._device.learn_one((photo.photo_bytes / 1e6,), measured.device_s)
            self._sent += 1
            self._sent_bytes += (measured.bytes_up - self._sent_bytes) / self._sent

    def _cost_s(self, payload_bytes: float, at_s: float) -> float:
        """Network and cloud."""
        return self._link.predict_one((payload_bytes, at_s)) + self._cloud.predict_one((payload_bytes / 1e6,))
