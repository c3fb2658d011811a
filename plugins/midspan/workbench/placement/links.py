"""How well estimators of a link foretell transfers over recorded networks."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from midspan.emulator.schedule import Schedule
from midspan.emulator.tracefile import read_trace
from midspan.errors import ConfigError, InvalidValueError
from midspan.estimate.delta import DeltaLink
from midspan.estimate.harmonic import HarmonicLink
from midspan.estimate.link import LinkModel

__all__ = ["ESTIMATORS", "LinkError", "LinkEstimator", "Network", "Plan", "find_traces", "log_uniform", "score_link"]

MAX_TRACES: Final = 1_000
MAX_TRANSFERS: Final = 100_000
LEAST_S: Final = 0.01
"""No prediction counts as less: an estimator that foretells a time of nothing is wrong by a factor, not infinitely."""


class LinkEstimator(Protocol):
    """Predicts and learns seconds of (payload_bytes, at_s)."""

    def predict_one(self, features: Sequence[float]) -> float:
        """Predicted seconds."""

    def learn_one(self, features: Sequence[float], transfer_s: float) -> LinkEstimator:
        """Take in one transfer."""


ESTIMATORS: Final[Mapping[str, Callable[[], LinkEstimator]]] = MappingProxyType(
    {"ours": LinkModel, "delta": DeltaLink, "harmonic": HarmonicLink, "line": lambda: DeltaLink(0.0)}
)
"""`line` is PieSlicer's without its delta."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent over each network.

    Attributes:
        transfers: how many, for each think time.
        learn: so many of them teach alone and are not scored.
        think_s: mean seconds between the end of one and the start of the next, drawn from an exponential distribution.
        sizes_bytes: smallest and largest; drawn log-uniformly.
        seed: of the draws.

    """

    transfers: int = 1000
    learn: int = 20
    think_s: tuple[float, ...] = (1.0, 5.0, 30.0)
    sizes_bytes: tuple[int, int] = (20_000, 1_000_000)
    seed: int = 1

    def __post_init__(self) -> None:
        """Raise InvalidValueError if nothing would be scored."""
        if not self.learn < self.transfers <= MAX_TRANSFERS:
            raise InvalidValueError(
                f"transfers must be more than the {self.learn} that teach alone and at most {MAX_TRANSFERS}, "
                f"got {self.transfers}"
            )


@dataclass(frozen=True, slots=True)
class LinkError:
    """Mean |log(predicted / measured)| of one estimator on one trace at one think time."""

    trace: str
    think_s: float
    estimator: str
    log_error: float


class Network:
    """A recorded link: how long an exchange that starts at some time takes. It begins again when it is over.

    The answer is small: it costs its delay alone, which is taken to be the same in both directions.
    """

    def __init__(self, path: Path, unknown_delay_s: float) -> None:
        trace = read_trace(path, delay_ms=unknown_delay_s * 1e3)
        self.name = trace.name
        self._up = Schedule(trace.up)

    def transfer_s(self, start_s: float, payload_bytes: int) -> float:
        """Seconds from the first byte's start to the answer."""
        left_s = self._up.through_s(start_s, payload_bytes)
        return left_s - start_s + 2 * self._up.delay_s(left_s)


def find_traces(path: Path, unknown_delay_s: float) -> list[Network]:
    """The trace of a file, or all *.csv of a folder, by name. Raises ConfigError."""
    paths = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not 0 < len(paths) <= MAX_TRACES:
        raise ConfigError(f"{path} must hold 1 to {MAX_TRACES} traces (*.csv), got {len(paths)}")
    return [Network(one, unknown_delay_s) for one in paths]


def log_uniform(rng: random.Random, least_bytes: int, most_bytes: int) -> int:
    """A size whose logarithm is uniform between theirs."""
    return round(math.exp(rng.uniform(math.log(least_bytes), math.log(most_bytes))))


def score_link(network: Network, plan: Plan) -> Iterator[LinkError]:
    """Every estimator over the same transfers, for each think time: each predicts one, then learns it."""
    for think_s in plan.think_s:
        rng = random.Random(plan.seed)  # noqa: S311 - draws that can be repeated, no secret
        estimators = {name: make() for name, make in ESTIMATORS.items()}
        errors = dict.fromkeys(ESTIMATORS, 0.0)
        at_s = 0.0
        for number in range(plan.transfers):
            payload_bytes = log_uniform(rng, *plan.sizes_bytes)
            measured_s = network.transfer_s(at_s, payload_bytes)
            for name, estimator in estimators.items():
                if number >= plan.learn:
                    predicted_s = max(estimator.predict_one((payload_bytes, at_s)), LEAST_S)
                    errors[name] += abs(math.log(predicted_s / measured_s))
                estimator.learn_one((payload_bytes, at_s + measured_s), measured_s)
            at_s += measured_s + rng.expovariate(1 / think_s)
        for name, total in errors.items():
            yield LinkError(network.name, think_s, name, total / (plan.transfers - plan.learn))
