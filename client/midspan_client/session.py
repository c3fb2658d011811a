"""One request under way: what a provider's `execute` is given, and what the client reads off afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from midspan.wire import PARAMETER_CONTENT_TYPE, PARAMETER_TOP_K, PARAMETER_VARIANT
from midspan_client.answer import ServerAnswer
from midspan_client.errors import RequestTimeoutError
from midspan_client.retry import Retry
from midspan_client.wires import Wire

__all__ = ["Exchange", "RequestSession"]

MAX_ELAPSED_S = 86_400.0
"""Nothing that is timed here takes a day: a clock that says so has jumped."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. `transfer_s` is what the client measured less what the server reported.

    `at_s` is when it ended, on the client's clock. The truth lies between `low_s` and `high_s`: the server knows its
    queue within bounds alone, and an exchange that ran into its time limit would have taken at least as long. `teaches`
    is False where nothing can be said of the link.
    """

    bytes_up: int
    transfer_s: float
    low_s: float
    high_s: float
    at_s: float
    teaches: bool


class RequestSession:
    """Times exchanges and device work. One thread's.

    `sound` turns False when the clock goes backwards or jumps ahead: then no time of this request is to be trusted.
    """

    def __init__(self, wire: Wire, retry: Retry, clock: Callable[[], float], *, variant: str, top_k: int) -> None:
        self._wire = wire
        self._retry = retry
        self._clock = clock
        self._variant = variant
        self._top_k = top_k
        self.exchanges: list[Exchange] = []
        self.bytes_up = 0
        self.attempts = 0
        self.device_s = 0.0
        self.wire_s = 0.0
        self.server_s: float | None = None
        self.prepare_s: float | None = None
        self.sound = True

    @property
    def teaches(self) -> bool:
        """Whether the seconds of this request tell of the link: one exchange, tried once, on an open connection.

        Not where nothing is left of them without the server's: it knows its queue within bounds alone.
        """
        one = self.exchanges[0] if self.attempts == len(self.exchanges) == 1 else None
        return one is not None and one.teaches and one.transfer_s > 0

    def since(self, started: float) -> float:
        """Seconds since the clock showed `started`, never negative or absurd."""
        elapsed_s = self._clock() - started
        if 0 <= elapsed_s <= MAX_ELAPSED_S:  # a NaN fails this too
            return elapsed_s
        self.sound = False
        return 0.0

    def infer(
        self,
        payload: bytes,
        content_type: str = "",
        parameters: Mapping[str, bool | int | float | str] | None = None,
        *,
        idempotent: bool = True,
    ) -> ServerAnswer:
        """Ask the server; tried again within bounds if `idempotent`. Raises a MidspanClientError."""
        merged: dict[str, bool | int | float | str] = {PARAMETER_TOP_K: self._top_k}
        if self._variant:
            merged[PARAMETER_VARIANT] = self._variant
        if content_type:
            merged[PARAMETER_CONTENT_TYPE] = content_type
        merged.update(parameters or {})
        started = begun = self._clock()
        last_s = 0.0

        def attempt() -> tuple[ServerAnswer, float]:
            nonlocal begun, last_s
            begun = self._clock()
            self.attempts += 1
            report, connect_s = self._wire.exchange(payload, merged, idempotent=idempotent)
            last_s = self.since(begun)
            return ServerAnswer(report), connect_s

        try:
            answer, connect_s = self._retry.run(attempt)[0] if idempotent else attempt()
        except RequestTimeoutError as error:
            waited_s = self.since(begun)
            self.exchanges.append(
                Exchange(len(payload), waited_s, waited_s, math.inf, self._clock(), teaches=waited_s > 0)
            )
            raise error
        finally:
            self.wire_s += self.since(started)
        self.bytes_up += len(payload)
        if answer.server_s is not None:
            self.server_s = (self.server_s or 0.0) + answer.server_s
        if answer.prepare_s is not None:
            self.prepare_s = (self.prepare_s or 0.0) + answer.prepare_s
        self.exchanges.append(_exchange(len(payload), last_s - connect_s, connect_s, self._clock(), answer))
        return answer

    @contextmanager
    def device(self) -> Iterator[None]:
        """Time a piece of work on the device."""
        started = self._clock()
        try:
            yield
        finally:
            self.device_s += self.since(started)


def _exchange(payload_bytes: int, exchange_s: float, connect_s: float, at_s: float, answer: ServerAnswer) -> Exchange:
    """What can be learned of the link.

    Not from the first exchange of a connection, even less its handshakes: TCP still probes how fast it may send. Nor
    from a server that does not say how long it took, or says longer than the whole exchange. Nor with a clock that
    stood still meanwhile.
    """
    server_s = answer.server_s
    transfer_s = max(exchange_s - (server_s or 0.0), 0.0)
    high_s = max(exchange_s - (server_s or 0.0) + answer.queue_s, 0.0)
    low_s = max(high_s - answer.queue_max_s, 0.0)
    teaches = server_s is not None and not connect_s and exchange_s > 0 and high_s > 0
    return Exchange(payload_bytes, transfer_s, low_s, high_s, at_s, teaches)
