"""After the last exchange: what is answered, learned and logged."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from midspan.errors import InvalidValueError
from midspan.routing.route import Route
from midspan_client.answer import Answer, ServerAnswer, Stages
from midspan_client.decider import Decider, Decision
from midspan_client.learning import Memory, Place
from midspan_client.photo import Photo
from midspan_client.provider import Outcome
from midspan_client.session import RequestSession
from midspan_client.store import LogRow, Store

__all__ = ["Recorder", "Task"]

MAX_TEXT = 100
MAX_REASON = 500
MAX_COUNT = 2**53
ROUNDING_S = 1e-6
CLOCK_WARNING = "the clock went backwards, stood still or jumped: nothing is learned from this request"


@dataclass(frozen=True, slots=True)
class Task:
    """One call of `classify`: the photo, where and when (on the client's clock) it began, and what was decided."""

    photo: Photo
    place: Place
    began_s: float
    decision: Decision


class Recorder:
    """Learns from requests that ended, and logs them. Thread-safe.

    Args:
        memory: the models.
        decider: hands lessons to providers.
        store: where the log goes.
        lock: guards all three.
        origin: the server's address, for the log.
        device: this device's label, for the log.
        wall_clock: seconds since 1970.

    """

    def __init__(
        self,
        memory: Memory,
        decider: Decider,
        store: Store,
        lock: threading.Lock,
        *,
        origin: str,
        device: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = memory
        self._decider = decider
        self._store = store
        self._lock = lock
        self._origin = origin
        self._device = device
        self._wall_clock = wall_clock

    def answered(
        self, task: Task, route: Route, session: RequestSession, answer: ServerAnswer, degraded: str
    ) -> Answer:
        """Put the answer together, learn from it, log it."""
        total_s = session.since(task.began_s)
        wire_s = min(session.wire_s, total_s)
        server_s = min(session.server_s or 0.0, wire_s)
        sound = session.sound and 0 < total_s > max(session.wire_s, session.device_s) - ROUNDING_S
        warnings = self._learn(task, route, session, answer, degraded) if sound else (CLOCK_WARNING,)
        result = Answer(
            predictions=answer.predictions,
            route=route,
            measured=Stages(total_s - wire_s, wire_s - server_s, server_s),
            total_s=total_s,
            bytes_up=session.bytes_up,
            variant=answer.variant or route.variant,
            report=answer.report,
            reason=task.decision.choice.reason if task.decision.choice and not degraded else "",
            attempts=session.attempts,
            degraded=degraded,
            warnings=task.decision.warnings + tuple(filter(None, warnings)),
        )
        if sound:
            self._log(task, session, result)
        return result

    def failed(self, task: Task, session: RequestSession) -> None:
        """Learn from a request without an answer: an exchange that ran out of time tells of the link."""
        if session.sound:
            with self._lock:
                self._learn_link(task, session)

    def _learn(
        self, task: Task, route: Route, session: RequestSession, answer: ServerAnswer, degraded: str
    ) -> tuple[str, ...]:
        """Returns warnings, "" where all went well."""
        with self._lock:
            link_warning = self._learn_link(task, session)
            if degraded:
                return (link_warning,)
            outcome = Outcome(
                photo=task.photo,
                answer=answer,
                device_s=session.device_s,
                send_s=sum(exchange.transfer_s for exchange in session.exchanges),
                server_s=None if session.server_s is None else min(session.server_s, session.wire_s),
                bytes_up=session.bytes_up,
                models=self._decider.models(route, task.place),
                at_s=task.began_s + session.since(task.began_s),
            )
            return link_warning, self._decider.learn(route, outcome, task.place)

    def _learn_link(self, task: Task, session: RequestSession) -> str:
        if task.place != self._memory.place:  # part of the way went over another network
            return ""
        link = self._memory.link(task.place)
        try:
            for exchange in session.exchanges:
                if exchange.teaches:
                    link.learn_between((exchange.bytes_up, exchange.at_s), exchange.low_s, exchange.high_s)
        except InvalidValueError as error:  # of a time that is none; the answer is there already
            return f"the link could not learn: {error}"[:MAX_REASON]
        self._memory.learned("link", task.place)
        return ""

    def _log(self, task: Task, session: RequestSession, answer: Answer) -> None:
        route, header = answer.route, task.photo.header
        server_s = None if session.server_s is None else answer.measured.server_s
        row = LogRow(
            at=self._wall_clock(),
            origin=self._origin,
            network=task.place.network,
            device=self._device,
            route=_text(route.name),
            provider=_text(route.provider),
            variant=_text(answer.variant),
            attempts=answer.attempts,
            degraded=_text(answer.degraded, MAX_REASON),
            photo_bytes=len(task.photo.data),
            width_px=header.width_px,
            height_px=header.height_px,
            predicted_bytes_up=int(min(route.bytes_up, MAX_COUNT)),
            predicted_device_s=float(route.device_s),
            predicted_send_s=float(route.send_s),
            predicted_server_s=float(route.server_s),
            predicted_prepare_s=next((float(part.seconds) for part in route.parts if part.name == "prepare"), None),
            predicted_device_sd_s=_sd_s(route, "device"),
            predicted_send_sd_s=_sd_s(route, "link"),
            predicted_server_sd_s=_sd_s(route, "prepare", "fixed"),
            bytes_up=answer.bytes_up,
            work_s=session.device_s,
            device_s=answer.measured.device_s,
            send_s=answer.measured.send_s,
            server_s=server_s,
            prepare_s=_part_of(server_s, session.prepare_s),
            total_s=answer.total_s,
            teaches=session.teaches and task.place == self._memory.place,
        )
        with self._lock:
            self._store.log(row)
            self._store.flush()


def _text(value: str, most: int = MAX_TEXT) -> str:
    """A stranger's text, of a length and kind that the store can hold."""
    return value[:most].encode("utf-8", "replace").decode()


def _part_of(whole_s: float | None, part_s: float | None) -> float | None:
    """None where the part is longer than the whole: a server that says so knows neither."""
    return None if whole_s is None or part_s is None or part_s > whole_s else part_s


def _sd_s(route: Route, *names: str) -> float | None:
    """Of the parts of those names together, taken for independent."""
    parts = [part for part in route.parts if part.name in names]
    known = [part.sd_s for part in parts if part.sd_s is not None]
    return math.hypot(*known) if known and len(known) == len(parts) else None
