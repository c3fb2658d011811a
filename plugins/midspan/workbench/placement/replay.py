"""Recorded requests, decided again by every policy: what was measured is kept, what was not is reconstructed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from midspan.errors import ConfigError, MidspanError
from midspan.servermodel.fit import fit_seconds
from midspan.workbench.placement.cells import Constants
from midspan.workbench.placement.play import compete
from midspan.workbench.placement.policies import policies
from midspan.workbench.placement.request import Measured, PhotoSize, Request
from midspan.workbench.placement.scores import CellScores
from midspan.workbench.placement.storelog import LoggedRequest

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["LEAST", "Component", "reconstruct", "replay"]

LEAST: Final = 10
"""Requests by each route that a device on a network must have, or nothing can be said of the other choice."""
ALPHA: Final = 0.5
"""PieSlicer's, section 6.4."""
FLOOR: Final = 1e-6
"""Seconds or megabytes; a fit never predicts less, so that factors stay finite."""


@dataclass(frozen=True, slots=True)
class Component:
    """A component of time (seconds) or size (megabytes): a robust line, and measured over fitted for each row."""

    coefficients: tuple[float, ...]
    factors: tuple[float, ...]

    @classmethod
    def fit(cls, features: Sequence[tuple[float, ...]], measured: Sequence[float]) -> Component:
        """Fit rows of features. Raises ConfigError where there is no line through them."""
        try:
            coefficients = fit_seconds(np.array(features), np.array(measured)).coefficients
        except ValueError as error:
            raise ConfigError(f"no line fits these requests: {error}") from error
        model = cls(coefficients, ())
        factors = (value / model.mean(row) for row, value in zip(features, measured, strict=True))
        return cls(coefficients, tuple(factors))

    def mean(self, features: Iterable[float]) -> float:
        """What the line says."""
        return max(sum(a * b for a, b in zip(self.coefficients, features, strict=True)), FLOOR)


def replay(
    log: Sequence[LoggedRequest],
    *,
    side_px: int,
    learn: int,
    seed: int,
    report: Callable[[CellScores], None] = lambda scores: None,
) -> tuple[list[CellScores], list[str]]:
    """All policies over the recorded requests of each device on each network, and what had to be left out, in words.

    Args:
        log: recorded requests, in order.
        side_px: what photos were resized to on the device; the log does not say.
        learn: see `compete`.
        seed: of forced choices, and of the factors that were not measured.
        report: called after each cell.

    """
    groups: dict[tuple[str, str], list[LoggedRequest]] = {}
    for one in log:
        groups.setdefault((one.device, one.network), []).append(one)
    results, left_out = [], []
    for (device, network), group in groups.items():
        local = [one.measured.bytes_up for one in group if one.choice == "local"]
        if min(len(local), len(group) - len(local)) < LEAST or len(group) <= learn:
            counts = f"{len(local)} preprocessed on the device and {len(group) - len(local)} in the cloud"
            left_out.append(f"{device}, {network}: {counts}; needs {LEAST} of each, and more than {learn} in all")
            continue
        mean_bytes = max(round(sum(local) / len(local)), 1)
        constants = Constants(mean_bytes, side_px, ALPHA, mean_bytes)
        try:
            requests = reconstruct(group, seed)
            results.append(compete(device, network, requests, policies(constants), learn=learn, seed=seed))
        except MidspanError as error:  # no line fits them, or what was reconstructed is no time that a policy takes
            left_out.append(f"{device}, {network}: {error}")
            continue
        report(results[-1])
    return results, left_out


def reconstruct(group: Sequence[LoggedRequest], seed: int) -> list[Request]:
    """What each request would have cost by the other choice: fitted times, multiplied by factors.

    What a request measured stays as it is. The link's factor of a request holds for both choices, and so do its fixed
    seconds: both meet the same moment. On-device time, sent size and in-cloud preprocessing of the choice that was not
    taken get a factor that another request measured, drawn at random.
    """
    return _Reconstruction(group, seed).requests(group)


class _Reconstruction:
    """The fits of one device on one network."""

    def __init__(self, group: Sequence[LoggedRequest], seed: int) -> None:
        local = [one for one in group if one.choice == "local"]
        remote = [one for one in group if one.choice == "remote"]
        photos = [_photo(one.photo) for one in local]
        self._device = Component.fit(photos, [one.measured.device_s for one in local])
        self._sent = Component.fit(photos, [one.measured.bytes_up / 1e6 for one in local])
        self._prepare_sent = Component.fit(_sizes(local), [one.measured.prepare_s for one in local])
        self._prepare_photo = Component.fit(
            [_photo(one.photo) for one in remote], [one.measured.prepare_s for one in remote]
        )
        self._link = Component.fit(_sizes(group), [one.measured.link_s for one in group])
        self._rng = random.Random(seed)  # noqa: S311 - draws that can be repeated, no secret

    def requests(self, group: Sequence[LoggedRequest]) -> list[Request]:
        """With both costs, in the same order; `at_s` counts from the first."""
        return [
            self._request(one, one.at_s - group[0].at_s, factor)
            for one, factor in zip(group, self._link.factors, strict=True)
        ]

    def _request(self, one: LoggedRequest, at_s: float, link_factor: float) -> Request:
        photo, measured = _photo(one.photo), one.measured
        if one.choice == "local":
            local, sent_bytes = measured, measured.bytes_up
            remote = Measured(
                device_s=0.0,
                link_s=self._link.mean((1.0, photo[1])) * link_factor,
                prepare_s=self._drawn(self._prepare_photo, photo),
                fixed_s=measured.fixed_s,
                bytes_up=one.photo.photo_bytes,
            )
        else:
            remote, sent_bytes = measured, max(round(self._drawn(self._sent, photo) * 1e6), 1)
            local = Measured(
                device_s=self._drawn(self._device, photo),
                link_s=self._link.mean((1.0, sent_bytes / 1e6)) * link_factor,
                prepare_s=self._drawn(self._prepare_sent, (1.0, sent_bytes / 1e6)),
                fixed_s=measured.fixed_s,
                bytes_up=sent_bytes,
            )
        sent = (1.0, sent_bytes / 1e6)
        local_mean_s = self._device.mean(photo) + self._link.mean(sent) + self._prepare_sent.mean(sent)
        remote_mean_s = self._link.mean((1.0, photo[1])) + self._prepare_photo.mean(photo)
        return Request(one.photo, at_s, local, remote, local_mean_s, remote_mean_s)

    def _drawn(self, component: Component, features: tuple[float, ...]) -> float:
        return component.mean(features) * self._rng.choice(component.factors)


def _photo(photo: PhotoSize) -> tuple[float, float, float]:
    """1, megabytes, megapixels."""
    return 1.0, photo.photo_bytes / 1e6, photo.pixels / 1e6


def _sizes(group: Iterable[LoggedRequest]) -> list[tuple[float, ...]]:
    """1, and megabytes sent."""
    return [(1.0, one.measured.bytes_up / 1e6) for one in group]
