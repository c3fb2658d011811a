"""How long requests wait in the host's queue, read off the host's own counters.

No host tells its Python workers when a request arrived, but both count: Triton in its statistics, TorchServe in its
metrics. A thread reads them a few times a second while there is work; between two readings, seconds waited over
requests served is the mean of all requests of this host, exactly.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from midspan import wire
from midspan.config import ServerConfig

__all__ = ["HostQueue", "Reading", "torchserve_reading", "triton_reading"]

Reading: TypeAlias = tuple[float, int]
"""Seconds that all requests so far have waited, and how many they were."""

MAX_ANSWER_BYTES: Final = 2**22
TIMEOUT_S: Final = 2.0

_WAITED_US = re.compile(r'^ts_queue_latency_microseconds\{model_name="midspan"[^}]*\} ([0-9.eE+]+)$', re.MULTILINE)
_SERVED = re.compile(r'^ts_inference_requests_total\{model_name="midspan"[^}]*\} ([0-9.eE+]+)$', re.MULTILINE)


class HostQueue:
    """The mean time in seconds that recent requests have waited. Thread-safe; `close` it."""

    def __init__(
        self, read: Callable[[], Reading], *, every_s: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._every_s = every_s
        self._clock = clock
        self._last: Reading | None = None
        self._mean_s: float | None = None
        self._read_at = clock()
        self._work = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="midspan-host-queue", daemon=True)
        self._thread.start()

    def mean_s(self) -> float | None:
        """The mean between the last two readings, or None where the host cannot be read or nothing is known lately.

        Asking counts as a sign of work: the thread reads on for as long as somebody asks.
        """
        if not self._work.is_set():  # setting it takes a lock and wakes a thread
            self._work.set()
        return self._mean_s if self._clock() - self._read_at < 4 * self._every_s else None

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        self._closed.set()
        self._work.set()
        self._thread.join(TIMEOUT_S)

    def look(self) -> None:
        """Read the counters once."""
        try:
            waited_s, served = self._read()
        except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
            self._last = self._mean_s = None
            return
        if self._last is not None and served > self._last[1]:
            self._mean_s = max(0.0, (waited_s - self._last[0]) / (served - self._last[1]))
        self._last = waited_s, served
        self._read_at = self._clock()

    def _follow(self) -> None:
        while not self._closed.is_set():
            self._work.wait()
            self._work.clear()
            self.look()
            self._closed.wait(self._every_s)


def triton_reading(server: ServerConfig) -> Reading:
    """What Triton's statistics say of the model. Raises OSError or ValueError and the like where they cannot be had."""
    path = f"/v2/models/{wire.MODEL_NAME}/stats"
    queue = json.loads(_get(server.host, server.http_port, path))["model_stats"][0]["inference_stats"]["queue"]
    return float(queue["ns"]) / 1e9, int(queue["count"])


def torchserve_reading(server: ServerConfig) -> Reading:
    """What TorchServe's metrics say of the model. Raises OSError or ValueError and the like."""
    text = _get("127.0.0.1", server.metrics_port, "/metrics").decode("utf-8")
    waited_us, served = _WAITED_US.search(text), _SERVED.search(text)
    if waited_us is None or served is None:
        raise ValueError("the metrics do not count the queue yet")
    return float(waited_us.group(1)) / 1e6, int(float(served.group(1)))


def _get(host: str, port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(MAX_ANSWER_BYTES)
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        return body
    finally:
        connection.close()
