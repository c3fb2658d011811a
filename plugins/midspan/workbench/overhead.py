"""What Midspan costs: against bare models on the same server in the same run, and inside the client."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from midspan import bundle
from midspan.bundle import Family
from midspan.config import Config, HostConfig
from midspan.deploy.local import LocalServer
from midspan.hoststore import HostStore
from midspan.workbench import peers
from midspan.workbench.clientcost import measure_client
from midspan.workbench.load import Target, Timing, in_parallel, in_turns, torchserve_target, triton_target
from midspan.workbench.rows import Row, at_least, at_most

__all__ = ["QUICK", "Sizes", "measure_server"]

CLIENTS = 8
FLUSH_S = 0.6
"""A little more than a worker gathers before it writes to the host's store."""
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
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "host.sqlite"
        own = replace(config, host=HostConfig(store))
        return _measure(kind, own, family, photos, sizes, report, store)


def _measure(
    kind: str,
    config: Config,
    family: Family,
    photos: Sequence[bytes],
    sizes: Sizes,
    report: Callable[[str], None],
    store: Path,
) -> list[Row]:
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
        rows = _sequential(kind, ours, bare, echo, photos, sizes.rounds, store)
        if kind == "triton":
            rows += measure_client(server.url, photos, decisions=sizes.decisions, requests=sizes.rounds * len(photos))
        report(f"{server.kind}: {CLIENTS} clients")
        return rows + _concurrent(kind, ours, bare, photos, sizes)


def _sequential(
    kind: str, ours: Target, bare: Target, echo: list[Target], photos: Sequence[bytes], rounds: int, store: Path
) -> list[Row]:
    before = _own(store, ours, photos)
    times = in_turns([ours, bare, *echo], photos, rounds)
    rows = [
        at_most(
            f"{kind}, 1 client: median latency, Midspan / bare",
            times[ours.name].median_s * 1e3,
            times[bare.name].median_s * 1e3,
            MAX_LATENCY_RATIO,
        )
    ]
    if echo:
        after = _own(store, ours, photos)
        own_ms = (after[0] - before[0]) / (after[1] - before[1]) / 1e6
        echo_ms = times[peers.ECHO].mean_s * 1e3
        measure = f"{kind}: Midspan's own time in the worker (all but decode, prepare, run) / echo's round trip, means"
        rows.append(at_most(measure, own_ms, echo_ms, MAX_OWN_SHARE))
    return rows


def _own(store: Path, ours: Target, photos: Sequence[bytes]) -> tuple[int, int]:
    """Nanoseconds and batches that the timed model has counted, brought up to date in the host's store."""
    time.sleep(FLUSH_S)
    in_parallel(ours, photos, CLIENTS, CLIENTS)  # a worker writes what it has gathered at its next request
    opened = HostStore(store)
    counts = opened.counts("bench.")
    opened.close()
    return counts.get("bench.own_ns", 0), counts.get("bench.batches", 0)


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
