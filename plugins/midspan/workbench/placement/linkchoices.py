"""What a better estimator of the link is worth: where to preprocess, decided over recorded networks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from midspan.workbench.placement.cells import Coefficients, Line
from midspan.workbench.placement.links import ESTIMATORS, LinkEstimator, Network, Plan, log_uniform

__all__ = ["CLAIRVOYANT", "STATIC", "LinkTimes", "score_choices"]

CLAIRVOYANT: Final = "clairvoyant"
STATIC: Final = ("local", "remote")
TAIL: Final = 0.95


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """Seconds that a request takes, by who told the decision how long transfers take, or by a fixed choice."""

    trace: str
    device: str
    policy: str
    mean_s: float
    p95_s: float


class _Costs:
    """What the choices cost on a device, apart from the link. Policies know these times: the link alone decides."""

    def __init__(self, on_device: Line, in_cloud: Line, coefficients: Coefficients) -> None:
        self._on_device, self._in_cloud = on_device, in_cloud
        self.sent_bytes = coefficients.constants.sent_bytes
        self._skip_below_bytes = coefficients.constants.skip_below_bytes
        self._fixed_s = coefficients.fixed_s

    def local_s(self, photo_bytes: int) -> float:
        return self._on_device.seconds(photo_bytes) + self._in_cloud.seconds(self.sent_bytes) + self._fixed_s

    def remote_s(self, photo_bytes: int) -> float:
        return self._in_cloud.seconds(photo_bytes) + self._fixed_s

    def device_s(self, photo_bytes: int) -> float:
        return self._on_device.seconds(photo_bytes)

    def small(self, photo_bytes: int) -> bool:
        """The first of the fast checks."""
        return photo_bytes < self._skip_below_bytes


def score_choices(network: Network, plan: Plan, coefficients: Coefficients) -> Iterator[LinkTimes]:
    """For each device: every estimator decides the same requests and learns from what it chose.

    A request starts, after a think time, when the slower choice of the one before would have ended, so that all decide
    at the same moments. The first `plan.learn` choices are drawn at random, and not scored. The clairvoyant takes what
    will be faster. The times of all think times are taken together.
    """
    lines = {cell.device: (cell.on_device, cell.in_cloud) for cell in coefficients.cells}
    for device, (on_device, in_cloud) in lines.items():
        costs = _Costs(on_device, in_cloud, coefficients)
        times_s: dict[str, list[float]] = {name: [] for name in (*ESTIMATORS, *STATIC, CLAIRVOYANT)}
        for think_s in plan.think_s:
            _play(network, plan, think_s, costs, times_s)
        for name, times in times_s.items():
            yield LinkTimes(network.name, device, name, fmean(times), sorted(times)[int(TAIL * len(times))])


def _play(network: Network, plan: Plan, think_s: float, costs: _Costs, times_s: Mapping[str, list[float]]) -> None:
    rng = random.Random(plan.seed)  # noqa: S311 - draws that can be repeated, no secret
    estimators: dict[str, LinkEstimator] = {name: make() for name, make in ESTIMATORS.items()}
    at_s = 0.0
    for number in range(plan.transfers):
        photo_bytes, forced = log_uniform(rng, *plan.sizes_bytes), rng.random() < 0.5
        sent_at_s = at_s + costs.device_s(photo_bytes)
        transfers = {
            True: (costs.sent_bytes, sent_at_s, network.transfer_s(sent_at_s, costs.sent_bytes)),
            False: (photo_bytes, at_s, network.transfer_s(at_s, photo_bytes)),
        }
        totals_s = {
            True: costs.local_s(photo_bytes) + transfers[True][2],
            False: costs.remote_s(photo_bytes) + transfers[False][2],
        }
        for name, estimator in estimators.items():
            learning = number < plan.learn
            local = forced if learning else _decide(estimator, photo_bytes, costs, at_s)
            sent_bytes, start_s, link_s = transfers[local]
            estimator.learn_one((sent_bytes, start_s + link_s), link_s)
            if not learning:
                times_s[name].append(totals_s[local])
        if number >= plan.learn:
            for name, total_s in zip((*STATIC, CLAIRVOYANT), (*totals_s.values(), min(totals_s.values())), strict=True):
                times_s[name].append(total_s)
        at_s += max(totals_s.values()) + rng.expovariate(1 / think_s)


def _decide(estimator: LinkEstimator, photo_bytes: int, costs: _Costs, at_s: float) -> bool:
    """Whether to preprocess on the device."""
    if costs.small(photo_bytes):
        return False
    local_s = costs.local_s(photo_bytes) + estimator.predict_one((costs.sent_bytes, at_s))
    return local_s < costs.remote_s(photo_bytes) + estimator.predict_one((photo_bytes, at_s))
