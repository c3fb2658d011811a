"""How well models foretell each component of recorded requests, one device on one network at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from midspan.errors import ConfigError
from midspan.estimate.link import LinkModel
from midspan.estimate.retrained import RetrainedLinear
from midspan.workbench.placement.fitmodels import MODELS, percentage_error
from midspan.workbench.placement.ours import Ours
from midspan.workbench.placement.storelog import LoggedRequest

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

__all__ = ["COMPONENTS", "FitRow", "Forecast", "fit_cell", "group_by_cell", "steps"]

FOLDS: Final = 10
LEAST: Final = 30
"""Measurements of a component below which a tenth of them says nothing."""
LEARN: Final = 20
"""So many of a cell's first requests are not scored where predictions are made in order."""
PAUSE_S: Final = 1e6
"""Of what was learned so long ago only the usual is expected, as of the other models, which know no time."""
TRIMMED: Final = (5.0, 95.0)
"""Percentiles beyond which PieSlicer drops measurements (section 4.3)."""
SEED: Final = 1
OURS: Final = "ours"
IN_ORDER: Final = "ours in order"
RETRAINED: Final = "retrained in order"

COMPONENTS: Final[Mapping[str, Callable[[LoggedRequest], float | None]]] = MappingProxyType(
    {
        "device": lambda one: one.measured.device_s if one.choice == "local" else None,
        "link": lambda one: one.measured.link_s,
        "prepare": lambda one: one.measured.prepare_s,
        "fixed": lambda one: one.measured.fixed_s,
        "sent": lambda one: one.measured.bytes_up if one.choice == "local" else None,
    }
)
"""Seconds, but for `sent`, the bytes of a photo that was preprocessed on the device; None where there is none."""


@dataclass(frozen=True, slots=True)
class FitRow:
    """Mean absolute percentage error of one model of one component in one cell, over `n` measurements."""

    component: str
    device: str
    network: str
    model: str
    mape_percent: float
    n: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the product predicted of one measurement before it learned it; `sd` None where it does not say."""

    component: str
    device: str
    network: str
    predicted: float
    sd: float | None
    measured: float


class _Product:
    """The client's estimators, fed with a log."""

    def __init__(self, side_px: int) -> None:
        self._ours, self._link = Ours(side_px), LinkModel()

    def predict(self, one: LoggedRequest, at_s: float) -> dict[str, tuple[float, float | None]]:
        """Of each component the value and its uncertainty. The link is asked for the bytes that were really sent."""
        features = (one.measured.bytes_up, at_s)
        found: dict[str, tuple[float, float | None]] = {
            "link": (self._link.predict_one(features), self._link.sd_one(features))
        }
        route = self._ours.routes(one.photo, at_s).get(one.choice)
        if route is not None:
            found |= {part.name: (part.seconds, part.sd_s) for part in route.parts if part.name != "link"}
            found["sent"] = (route.bytes_up, None)
        return found

    def learn(self, one: LoggedRequest) -> None:
        self._link.learn_one((one.measured.bytes_up, one.at_s), one.measured.link_s)
        self._ours.learn(one.photo, one.choice, one.measured, one.at_s)


def group_by_cell(log: Sequence[LoggedRequest]) -> dict[tuple[str, str], list[LoggedRequest]]:
    """The requests of each device on each network, oldest first. Raises ConfigError where none has enough."""
    cells: dict[tuple[str, str], list[LoggedRequest]] = {}
    for one in log:
        cells.setdefault((one.device, one.network), []).append(one)
    enough = {cell: requests for cell, requests in cells.items() if len(requests) >= LEAST}
    if not enough:
        raise ConfigError(f"no device on one network has the {LEAST} requests that are needed, of {len(log)} in all")
    return enough


def steps(requests: Sequence[LoggedRequest]) -> int:
    """How often `fit_cell` reports."""
    return 1 + FOLDS + len(MODELS) * sum(len(_measured(requests, component)) >= LEAST for component in COMPONENTS)


def fit_cell(
    requests: Sequence[LoggedRequest], *, side_px: int, trim: bool, report: Callable[[str], None]
) -> tuple[list[FitRow], list[Forecast]]:
    """All models of all components of one device on one network.

    Each is scored on the same ten folds; scales, k and the number of trees are chosen within the nine that it learns.
    Ours learns these nine in the order of the log. Besides, it is scored in order alone: it predicts each request,
    then learns it, as it does in a client. So is a line that is trained again by the paper's rule.

    Args:
        requests: of one device on one network, oldest first.
        side_px: what photos were resized to on the device.
        trim: leave out of what scikit-learn's models learn, never of what is scored, what lies beyond the 5th and the
            95th percentile of the measured.
        report: called after each step, with what it was.

    """
    device, network = requests[0].device, requests[0].network
    folds = np.random.default_rng(SEED).permutation(len(requests)) % FOLDS
    forecasts = list(_in_order(requests, side_px))
    report("ours in order")
    folded = _folded(requests, folds, side_px, report)
    rows = []
    for component in COMPONENTS:
        measured = _measured(requests, component)
        if len(measured) < LEAST:
            continue
        predicted = _cross_validated(
            [requests[i] for i in measured], component, measured, folds[list(measured)], trim, report
        )
        predicted[OURS] = {i: folded[component][i] for i in measured if i in folded[component]}
        scored = [one for one in forecasts if one.component == component]
        pairs = {name: [(value, measured[i]) for i, value in of.items()] for name, of in predicted.items()}
        pairs[IN_ORDER] = [(one.predicted, one.measured) for one in scored]
        pairs[RETRAINED] = _retrained(requests, component, measured)
        rows += [
            FitRow(component, device, network, name, percentage_error(*np.array(of).T), len(of))
            for name, of in pairs.items()
            if of
        ]
    return rows, forecasts


def _features(one: LoggedRequest, component: str) -> tuple[float, ...]:
    """PieSlicer's (section 4.1): file size, width, height, resolution; and the sent size, once there is one."""
    photo = one.photo
    known = (photo.photo_bytes, photo.width_px, photo.height_px, photo.pixels)
    return known if component in ("device", "sent") else (*known, one.measured.bytes_up)


def _measured(requests: Sequence[LoggedRequest], component: str) -> dict[int, float]:
    """By the number of the request."""
    of = COMPONENTS[component]
    return {i: value for i, one in enumerate(requests) if (value := of(one)) is not None}


def _cross_validated(
    requests: Sequence[LoggedRequest],
    component: str,
    measured: Mapping[int, float],
    folds: Array,
    trim: bool,
    report: Callable[[str], None],
) -> dict[str, dict[int, float]]:
    """What each of scikit-learn's models predicts of each request, having learned the other folds."""
    x, y = np.array([_features(one, component) for one in requests], float), np.array(list(measured.values()), float)
    predicted = {}
    for name, make in MODELS.items():
        of = np.empty_like(y)
        for fold in range(FOLDS):
            learned, asked = folds != fold, folds == fold
            if trim:
                low, high = np.percentile(y[learned], TRIMMED)
                learned &= (low <= y) & (y <= high)
            if asked.any():
                model = make()
                model.fit(x[learned], y[learned])
                of[asked] = model.predict(x[asked])
        predicted[name] = dict(zip(measured, of.tolist(), strict=True))
        report(f"{component}, {name}")
    return predicted


def _folded(
    requests: Sequence[LoggedRequest], folds: Array, side_px: int, report: Callable[[str], None]
) -> dict[str, dict[int, float]]:
    """What ours predicts of each request, having learned the other folds."""
    predicted: dict[str, dict[int, float]] = {component: {} for component in COMPONENTS}
    for fold in range(FOLDS):
        product = _Product(side_px)
        for one, of in zip(requests, folds, strict=True):
            if of != fold:
                product.learn(one)
        for i in np.flatnonzero(folds == fold).tolist():
            for component, (value, _) in product.predict(requests[i], requests[-1].at_s + PAUSE_S).items():
                predicted[component][i] = value
        report(f"ours, fold {fold + 1}")
    return predicted


def _in_order(requests: Sequence[LoggedRequest], side_px: int) -> Iterator[Forecast]:
    product = _Product(side_px)
    for number, one in enumerate(requests):
        if number >= LEARN:
            predicted = product.predict(one, one.at_s)
            for component, of in COMPONENTS.items():
                measured = of(one)
                if measured is not None and component in predicted:
                    yield Forecast(component, one.device, one.network, *predicted[component], measured)
        product.learn(one)


def _retrained(
    requests: Sequence[LoggedRequest], component: str, measured: Mapping[int, float]
) -> list[tuple[float, float]]:
    """PieSlicer's line in order (section 5.2): predicted and measured of each request but the first."""
    unit = 1e6 if component == "sent" else 1.0  # megabytes: as numbers they are like seconds
    model, pairs = RetrainedLinear(len(_features(requests[0], component))), []
    for i, value in measured.items():
        features = _features(requests[i], component)
        if i >= LEARN:
            pairs.append((unit * model.predict_one(features), value))
        model.learn_one(features, value / unit)
    return pairs
