"""Sending the same photos to several models of one server, fairly: in turns, over connections that stay open."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TypeAlias

from midspan.errors import InternalError

__all__ = ["Target", "Timing", "in_parallel", "in_turns", "torchserve_target", "triton_target"]

Answer: TypeAlias = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """One model of a server. `frame` gives the headers and the body for a payload."""

    name: str
    host: str
    port: int
    path: str
    frame: Callable[[bytes], tuple[dict[str, str], bytes]]


@dataclass(frozen=True, slots=True)
class Timing:
    """What one target did with all photos: each request's seconds, and requests per second over all."""

    latencies_s: tuple[float, ...]
    requests_per_s: float

    @property
    def mean_s(self) -> float:
        """The mean latency in seconds."""
        return statistics.fmean(self.latencies_s)

    @property
    def median_s(self) -> float:
        """The median latency in seconds."""
        return statistics.median(self.latencies_s)


def triton_target(name: str, host: str, port: int, output: str) -> Target:
    """A model of a Triton, asked for one output through the binary tensor extension."""

    def frame(payload: bytes) -> tuple[dict[str, str], bytes]:
        header = {
            "inputs": [
                {
                    "name": "payload",
                    "shape": [1, len(payload)],
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": len(payload)},
                }
            ],
            "outputs": [{"name": output, "parameters": {"binary_data": True}}],
        }
        encoded = json.dumps(header).encode()
        return {"Inference-Header-Content-Length": str(len(encoded))}, encoded + payload

    return Target(name, host, port, f"/v2/models/{name}/infer", frame)


def torchserve_target(name: str, host: str, port: int) -> Target:
    """A model of a TorchServe."""

    def frame(payload: bytes) -> tuple[dict[str, str], bytes]:
        return {"Content-Type": "image/jpeg"}, payload

    return Target(name, host, port, f"/predictions/{name}", frame)


def in_turns(
    targets: Sequence[Target],
    payloads: Sequence[bytes],
    rounds: int,
    after: Callable[[str, float, Answer], None] = lambda name, seconds, answer: None,
) -> dict[str, Timing]:
    """One request at a time, each photo to every target in turn; `after` sees each one's seconds and answer."""
    connections = {target.name: _connect(target) for target in targets}
    seconds: dict[str, list[float]] = {target.name: [] for target in targets}
    for payload in islice(cycle(payloads), rounds * len(payloads)):
        for target in targets:
            start = time.perf_counter()
            answer = _send(connections[target.name], target, payload)
            seconds[target.name].append(time.perf_counter() - start)
            after(target.name, seconds[target.name][-1], answer)
    for connection in connections.values():
        connection.close()
    return {name: Timing(tuple(times), len(times) / sum(times)) for name, times in seconds.items()}


def in_parallel(target: Target, payloads: Sequence[bytes], requests: int, clients: int) -> Timing:
    """`requests` photos from `clients` that each send the next one as soon as the last is answered."""
    local = threading.local()
    opened: list[http.client.HTTPConnection] = []

    def send(payload: bytes) -> float:
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = local.connection = _connect(target)
            opened.append(connection)
        start = time.perf_counter()
        _send(connection, target, payload)
        return time.perf_counter() - start

    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        latencies = tuple(pool.map(send, islice(cycle(payloads), requests)))
        total = time.perf_counter() - start
    for connection in opened:
        connection.close()
    return Timing(latencies, requests / total)


def _connect(target: Target) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(target.host, target.port, timeout=60)


def _send(connection: http.client.HTTPConnection, target: Target, payload: bytes) -> Answer:
    headers, body = target.frame(payload)
    connection.request("POST", target.path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise InternalError(f"{target.name} answered {response.status}: {answer[:300].decode(errors='replace')}")
    return dict(response.getheaders()), answer
