"""What the SDK costs on the device: one decision, and a classify beyond its HTTP exchange."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

from midspan.workbench.rows import Row, at_most
from midspan_client import Client, Reply, Transport
from midspan_client.providers.original import OriginalProvider
from midspan_client.transport.http import HttpTransport
from midspan_client.url import Endpoint

__all__ = ["measure_client"]

MAX_DECISION_MS = 0.050
MAX_BEYOND_HTTP_MS = 1.0


class TimedTransport:
    """Another transport, with the seconds of its last exchange."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.last_s = 0.0

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, idempotent: bool = True
    ) -> Reply:
        """Time one exchange."""
        start = time.perf_counter()
        reply = self._inner.send(method, path, headers, body, idempotent=idempotent)
        self.last_s = time.perf_counter() - start
        return reply

    def close(self) -> None:
        """Close the other one."""
        self._inner.close()


def measure_client(url: str, photos: Sequence[bytes], *, decisions: int, requests: int) -> list[Row]:
    """Decisions among the built-in routes, and requests by the plain route, with a store on disk."""
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "client.sqlite"
        with Client(url, store=store) as client:
            for photo in islice(cycle(photos), 2 * len(photos)):
                client.classify(photo)
            decided_s = []
            for photo in islice(cycle(photos), decisions):
                start = time.perf_counter()
                client.explain(photo)
                decided_s.append(time.perf_counter() - start)
        transport = TimedTransport(HttpTransport(Endpoint.parse(url), tls=None, timeout_s=60.0))
        # The plain route does no work on the photo, so all beyond the exchange is the SDK's own.
        with Client(url, store=store, transport=transport, providers=[OriginalProvider()]) as client:
            client.classify(photos[0])
            beyond_s = []
            for photo in islice(cycle(photos), requests):
                start = time.perf_counter()
                client.classify(photo)
                beyond_s.append(time.perf_counter() - start - transport.last_s)
    mean_ms = statistics.fmean(decided_s) * 1e3
    p99_ms = statistics.quantiles(decided_s, n=100)[98] * 1e3
    beyond_ms, beyond_p99_ms = statistics.fmean(beyond_s) * 1e3, statistics.quantiles(beyond_s, n=100)[98] * 1e3
    return [
        at_most(f"client: one decision, mean (p99 {p99_ms:.3f} ms), against its limit", mean_ms, MAX_DECISION_MS, 1.0),
        at_most(
            f"client: classify beyond the HTTP exchange, mean (p99 {beyond_p99_ms:.3f} ms), against its limit",
            beyond_ms,
            MAX_BEYOND_HTTP_MS,
            1.0,
        ),
    ]
