"""What Midspan costs: against bare models on the same server in the same run, and inside the client."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from midspan import bundle
from midspan.config import Config
from midspan.deploy.local import LocalServer
from midspan.workbench import peers
from midspan.workbench.clientcost import measure_client
from midspan.workbench.load import Answer, Target, Timing, in_parallel, in_turns, torchserve_target, triton_target
from midspan.workbench.rows import Row, at_least, at_most

__all__ = ["QUICK", "Sizes", "measure_server"]

CLIENTS = 8
MAX_LATENCY_RATIO = 1.10
MIN_THROUGHPUT_RATIO = 0.95
MAX_OWN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much to measure: rounds over all photos one by one, and rounds of requests from concurrent clients."""

    rounds: int = 20
    parallel_rounds: int = 9
    parallel_requests: int = 240
    decisions: int = 20_000


QUICK = Sizes(rounds=2, parallel_rounds=1, parallel_requests=24, decisions=500)
"""Enough to show that everything works; too little for figures."""


def measure_server(
    kind: str, config: Config, photos: Sequence[bytes], sizes: Sizes, report: Callable[[str], None]
) -> list[Row]:
    """Start a server of `kind` with Midspan and the bare models, and compare them. Photos are JPEGs."""
    family = bundle.load(config.family.bundle)
    add = peers.add_to_triton if kind == "triton" else peers.add_to_torchserve
    with LocalServer(kind, config, adjust=partial(add, config=config, family=family)) as server:
        host, port = config.server.host, config.server.http_port
        if kind == "triton":
            ours = triton_target("midspan", host, port, "report")
            bare = triton_target(peers.BARE, host, port, "scores")
            echo = [triton_target(peers.ECHO, host, port, "echo")]
        else:
            ours, bare, echo = torchserve_target("midspan", host, port), torchserve_target(peers.BARE, host, port), []
        report(f"{server.kind}: warming up")
        for target in (ours, bare, *echo):
            in_parallel(target, photos, CLIENTS * 4, CLIENTS)
        report(f"{server.kind}: one client")
        rows = _sequential(kind, ours, bare, echo, photos, sizes.rounds)
        if kind == "triton":
            rows += measure_client(server.url, photos, decisions=sizes.decisions, requests=sizes.rounds * len(photos))
        report(f"{server.kind}: {CLIENTS} clients")
        return rows + _concurrent(kind, ours, bare, photos, sizes)


def _sequential(
    kind: str, ours: Target, bare: Target, echo: list[Target], photos: Sequence[bytes], rounds: int
) -> list[Row]:
    own_s: list[float] = []

    def after(name: str, seconds: float, answer: Answer) -> None:
        if name == ours.name and kind == "triton":
            stages_s = _report_of(answer)["stages_s"]
            own_s.append(seconds - stages_s["decode"] - stages_s["prepare"] - stages_s["run"])

    times = in_turns([ours, bare, *echo], photos, rounds, after)
    rows = [
        at_most(
            f"{kind}, 1 client: median latency, Midspan / bare",
            times[ours.name].median_s * 1e3,
            times[bare.name].median_s * 1e3,
            MAX_LATENCY_RATIO,
        )
    ]
    if echo:
        echo_ms = times[peers.ECHO].median_s * 1e3
        own_ms = statistics.median(own_s) * 1e3 - echo_ms
        measure = f"{kind}: Midspan's own time (round trip less decode, prepare, run, echo) / echo's round trip"
        rows.append(at_most(measure, own_ms, echo_ms, MAX_OWN_SHARE))
    return rows


def _concurrent(kind: str, ours: Target, bare: Target, photos: Sequence[bytes], sizes: Sizes) -> list[Row]:
    rounds: list[tuple[Timing, Timing]] = []
    for index in range(sizes.parallel_rounds):
        order = (ours, bare) if index % 2 == 0 else (bare, ours)
        found = {t.name: in_parallel(t, photos, sizes.parallel_requests, CLIENTS) for t in order}
        rounds.append((found[ours.name], found[bare.name]))
    ours_ms = statistics.median(a.median_s for a, _ in rounds) * 1e3
    bare_ms = statistics.median(b.median_s for _, b in rounds) * 1e3
    # Rounds are pairs measured side by side: the median of their ratios is steadier than the ratio of the medians.
    ratio = statistics.median(a.requests_per_s / b.requests_per_s for a, b in rounds)
    ours_per_s, bare_per_s = (statistics.median(pair[i].requests_per_s for pair in rounds) for i in (0, 1))
    return [
        at_most(f"{kind}, {CLIENTS} clients: median latency, Midspan / bare", ours_ms, bare_ms, MAX_LATENCY_RATIO),
        at_least(
            f"{kind}, {CLIENTS} clients: throughput, Midspan / bare",
            ours_per_s,
            bare_per_s,
            ratio,
            MIN_THROUGHPUT_RATIO,
            "1/s",
        ),
    ]


def _report_of(answer: Answer) -> dict[str, Any]:
    headers, body = answer
    length = next(int(value) for name, value in headers.items() if name.lower() == "inference-header-content-length")
    report: dict[str, Any] = json.loads(body[length + 4 :])  # a BYTES tensor: 4 bytes of length, then the text
    return report
