"""The noise of a simulation: one factor for each request and component, the same for every policy and both choices."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from midspan.workbench.placement.cells import Cell, Coefficients
from midspan.workbench.placement.request import Measured, Request
from midspan.workbench.placement.sizes import SizedPhoto

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["LAG_ONE", "correlated", "draw_requests", "factors", "sigma"]

LAG_ONE: Final = 0.8
"""Correlation of the network's noise with that of the request before."""


def sigma(mape: float) -> float:
    """Standard deviation s of the logarithm of a log-normal factor f of mean 1 with E|f - 1| = mape.

    With ln f normal, of mean -s²/2, E|f - 1| = 2 (2 Φ(s/2) - 1), Φ the normal distribution; this solves it for s.
    """
    return 2 * NormalDist().inv_cdf(0.5 + mape / 4)


def factors(normals: Array, mape: float) -> Array:
    """Log-normal factors of mean 1 and mean absolute deviation `mape`, made of standard normal draws."""
    s = sigma(mape)
    made: Array = np.exp(s * normals - s * s / 2)
    return made


def correlated(normals: Array, lag_one: float = LAG_ONE) -> Array:
    """Standard normal draws whose neighbours correlate: AR(1), begun in its stationary state."""
    fresh = (1 - lag_one * lag_one) ** 0.5
    series = normals.copy()
    for i in range(1, len(series)):
        series[i] = lag_one * series[i - 1] + fresh * series[i]
    return series


def draw_requests(cell: Cell, coefficients: Coefficients, photos: Sequence[SizedPhoto], seed: int) -> list[Request]:
    """One request a second for these photos, in this order. Each cell has draws of its own."""
    of_cell = int.from_bytes(f"{cell.device}/{cell.network}".encode(), "big")
    normals = np.random.default_rng([seed, of_cell]).standard_normal((3, len(photos)))
    device = factors(normals[0], cell.noise.device).tolist()
    link = factors(correlated(normals[1]), cell.noise.network).tolist()
    cloud = factors(normals[2], cell.noise.cloud).tolist()
    requests = []
    for at, (photo, *noise) in enumerate(zip(photos, device, link, cloud, strict=True)):
        local, remote = _costs(cell, coefficients, photo, *noise)
        local_mean, remote_mean = _costs(cell, coefficients, photo, 1.0, 1.0, 1.0)
        requests.append(Request(photo.size, float(at), local, remote, local_mean.total_s, remote_mean.total_s))
    return requests


def _costs(
    cell: Cell, coefficients: Coefficients, photo: SizedPhoto, device: float, link: float, cloud: float
) -> tuple[Measured, Measured]:
    """Local and remote, each component multiplied by its factor: one factor for both, as both meet the same moment."""

    def cost(device_s: float, sent_bytes: int) -> Measured:
        link_s, prepare_s = cell.link.seconds(sent_bytes), cell.in_cloud.seconds(sent_bytes)
        return Measured(device_s, link_s * link, prepare_s * cloud, coefficients.fixed_s, sent_bytes)

    original_bytes = photo.size.photo_bytes
    on_device_s = cell.on_device.seconds(original_bytes) * device
    return cost(on_device_s, photo.sent_bytes or coefficients.constants.sent_bytes), cost(0.0, original_bytes)
