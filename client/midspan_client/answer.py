"""What comes back: from the server, and from the client to the app."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from midspan.routing.route import Route
from midspan_client.servermodel import ServerModel, parse_server_model, sent_server_model

__all__ = ["Answer", "Prediction", "ServerAnswer", "Stages"]

MAX_PREDICTIONS = 1000
MAX_SERVER_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """One of the most likely classes."""

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the time of one request went, or was predicted to go.

    Attributes:
        device_s: everything that the device itself did, deciding included.
        send_s: the network in both directions, waiting before a retry included.
        server_s: what the server reported, its queue included.

    """

    device_s: float
    send_s: float
    server_s: float

    @property
    def total_s(self) -> float:
        """The sum of the three."""
        return self.device_s + self.send_s + self.server_s


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """The report of one exchange, as JSON, with the parts that the client reads made safe.

    A provider that answers without a server makes one itself: `ServerAnswer({"predictions": [...], "variant": "…"})`.
    """

    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """The well-formed predictions of the report, best first; others are left out."""
        rows = self.report.get("predictions")
        made = (_prediction(row) for row in rows[:MAX_PREDICTIONS]) if isinstance(rows, list) else ()
        return tuple(prediction for prediction in made if prediction is not None)

    @property
    def variant(self) -> str:
        """The variant that answered; "" if the server did not say."""
        value = self.report.get("variant")
        return value if isinstance(value, str) else ""

    @property
    def server_s(self) -> float | None:
        """Seconds on the server, queue included; None if it did not say or said nonsense."""
        return _seconds(self.report.get("server_s"))

    @property
    def queue_s(self) -> float:
        """The part of `server_s` that is an estimate: seconds in the server's queue."""
        stages_s = self.report.get("stages_s")
        return (_seconds(stages_s.get("queue")) or 0.0) if isinstance(stages_s, Mapping) else 0.0

    @property
    def queue_max_s(self) -> float:
        """The most that the server's queue can have taken; never below the estimate."""
        return max(_seconds(self.report.get("queue_max_s")) or 0.0, self.queue_s)

    @property
    def prepare_s(self) -> float | None:
        """Seconds of the stages decode and prepare, which make a tensor of the payload; None if it did not say."""
        stages_s = self.report.get("stages_s")
        if not isinstance(stages_s, Mapping):
            return None
        decode_s, prepare_s = _seconds(stages_s.get("decode")), _seconds(stages_s.get("prepare"))
        return None if decode_s is None or prepare_s is None else decode_s + prepare_s

    @property
    def fixed_s(self) -> float | None:
        """Seconds on the server but for the queue and `prepare_s`; None if it did not say, or the sum is below 0."""
        server_s, prepare_s = self.server_s, self.prepare_s
        return None if server_s is None or prepare_s is None else _seconds(server_s - self.queue_s - prepare_s)

    @property
    def server_model(self) -> ServerModel | None:
        """What the server has learned of its own time for this variant; None if it sent nothing usable."""
        return parse_server_model(sent_server_model(self.report))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one photo, and how it came about.

    Attributes:
        predictions: the most likely classes, best first.
        route: the route taken, with what it was predicted to cost.
        measured: what it did cost; the stages sum to `total_s` within 5%.
        total_s: seconds from the decision to the answer. Fetching the catalog, at the first request and every few
            minutes, is not part of it.
        bytes_up: bytes of payload sent, retries not counted twice.
        variant: the variant that answered.
        report: the server's whole report.
        reason: why this route was chosen.
        attempts: exchanges tried, at least 1 if a server was asked.
        degraded: why the chosen route, or choosing at all, did not work and the photo was sent as it is; "" if it did.
        warnings: providers that failed and lost their routes for this request, one text each.

    """

    predictions: tuple[Prediction, ...]
    route: Route
    measured: Stages
    total_s: float
    bytes_up: int
    variant: str
    report: Mapping[str, Any]
    reason: str = ""
    attempts: int = 1
    degraded: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The label of the most likely class; "" if there is no prediction."""
        return self.predictions[0].label if self.predictions else ""

    @property
    def predicted(self) -> Stages:
        """What the route was predicted to cost."""
        return Stages(self.route.device_s, self.route.send_s, self.route.server_s)


def _prediction(row: Any) -> Prediction | None:
    if not isinstance(row, Mapping):
        return None
    index, label, score = row.get("index"), row.get("label"), row.get("score")
    if not isinstance(index, int) or isinstance(index, bool) or not isinstance(score, int | float):
        return None
    if not abs(score) <= sys.float_info.max:  # NaN too; and a whole number that no float can hold
        return None
    return Prediction(index, label if isinstance(label, str) else "", float(score))


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SERVER_S:
        return None
    return float(value)
