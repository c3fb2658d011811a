"""How well policies did: a row for each, and the ratios by which the product is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midspan.workbench.placement.policies import LOCAL, ORACLE, OURS, PIESLICERS, REMOTE, TRUE_MEANS
from midspan.workbench.placement.request import Choice, Request

__all__ = ["CellScores", "Score", "Summary", "f1_score", "score_cell"]

PERCENTILES = (50, 95, 99)
LEAST_GAIN_MS = 0.1
"""Where knowing the true models gains less over the better static choice, there is nothing to recover."""

LEAST_MS = 1e-6


@dataclass(frozen=True, slots=True)
class Score:
    """One policy in one cell.

    Attributes:
        device: of the cell.
        network: of the cell.
        policy: its name.
        p50_ms: percentiles of the time of a request.
        p95_ms: the same.
        p99_ms: the same.
        mean_ms: its mean.
        f1: of "preprocess on the device" against the oracle (PieSlicer, section 6.1).
        bandwidth_share: bytes sent over those that always sending the original would have.
        mean_regret_ms: mean time beyond the oracle's.

    """

    device: str
    network: str
    policy: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    f1: float
    bandwidth_share: float
    mean_regret_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """`ours` against the others in one cell.

    Attributes:
        device: of the cell.
        network: of the cell.
        better_static: "local" or "remote": the one with the lower mean.
        f1_minus_true_means: F1 less that of the policy that knows the true models.
        recovered: of the mean time that this policy gains over the better static one, the part that ours gains; None
            where it gains less than 0.1 ms.
        p50_ratio: percentile over the lower of the two statics'.
        p95_ratio: the same.
        p99_ratio: the same.
        mean_ratio: mean over the better static one's.
        regret_ms: mean regret.
        pieslicer_regret_ms: the least that a variant of PieSlicer has.
        beats_pieslicer: whether ours has less.
        decision_us: mean microseconds of a decision on this machine.

    """

    device: str
    network: str
    better_static: str
    f1_minus_true_means: float
    recovered: float | None
    p50_ratio: float
    p95_ratio: float
    p99_ratio: float
    mean_ratio: float
    regret_ms: float
    pieslicer_regret_ms: float
    beats_pieslicer: bool
    decision_us: float


@dataclass(frozen=True, slots=True)
class CellScores:
    """One cell: a row for each policy, and the summary. `local_share` is how often each chose the device."""

    device: str
    network: str
    rows: tuple[Score, ...]
    local_share: Mapping[str, float]
    summary: Summary


def score_cell(
    device: str,
    network: str,
    requests: Sequence[Request],
    choices: Mapping[str, Sequence[Choice]],
    decision_us: float,
) -> CellScores:
    """Score what each policy chose for these requests, at least one. All policies' names must be there."""
    rows = tuple(_score(device, network, name, requests, taken, choices[ORACLE]) for name, taken in choices.items())
    shares = {name: taken.count("local") / len(requests) for name, taken in choices.items()}
    return CellScores(device, network, rows, shares, _summary({row.policy: row for row in rows}, decision_us))


def f1_score(chosen: Sequence[Choice], best: Sequence[Choice]) -> float:
    """Harmonic mean of precision and recall of "local"; 1 where neither says it once, as then they agree."""
    pairs = list(zip(chosen, best, strict=True))
    hits = sum(a == b == "local" for a, b in pairs)
    misses = sum(a != b for a, b in pairs)
    return 2 * hits / (2 * hits + misses) if hits or misses else 1.0


def _score(
    device: str, network: str, policy: str, requests: Sequence[Request], taken: Sequence[Choice], best: Sequence[Choice]
) -> Score:
    costs = [request.cost(choice) for request, choice in zip(requests, taken, strict=True)]
    times_ms = np.array([cost.total_s for cost in costs]) * 1e3
    least_ms = np.array([min(request.local.total_s, request.remote.total_s) for request in requests]) * 1e3
    p50_ms, p95_ms, p99_ms = (float(value) for value in np.percentile(times_ms, PERCENTILES))
    return Score(
        device=device,
        network=network,
        policy=policy,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        mean_ms=float(times_ms.mean()),
        f1=f1_score(taken, best),
        bandwidth_share=sum(cost.bytes_up for cost in costs) / sum(request.remote.bytes_up for request in requests),
        mean_regret_ms=float((times_ms - least_ms).mean()),
    )


def _summary(rows: Mapping[str, Score], decision_us: float) -> Summary:
    ours, means, statics = rows[OURS], rows[TRUE_MEANS], (rows[LOCAL], rows[REMOTE])
    static = min(statics, key=lambda row: row.mean_ms)
    gain_ms = static.mean_ms - means.mean_ms
    rival_ms = min(rows[name].mean_regret_ms for name in PIESLICERS)
    return Summary(
        device=ours.device,
        network=ours.network,
        better_static=static.policy,
        f1_minus_true_means=ours.f1 - means.f1,
        recovered=(static.mean_ms - ours.mean_ms) / gain_ms if gain_ms >= LEAST_GAIN_MS else None,
        p50_ratio=_ratio(ours.p50_ms, min(row.p50_ms for row in statics)),
        p95_ratio=_ratio(ours.p95_ms, min(row.p95_ms for row in statics)),
        p99_ratio=_ratio(ours.p99_ms, min(row.p99_ms for row in statics)),
        mean_ratio=_ratio(ours.mean_ms, static.mean_ms),
        regret_ms=ours.mean_regret_ms,
        pieslicer_regret_ms=rival_ms,
        beats_pieslicer=ours.mean_regret_ms < rival_ms,
        decision_us=decision_us,
    )


def _ratio(ours_ms: float, theirs_ms: float) -> float:
    """A log may say that requests took no time."""
    return max(ours_ms, LEAST_MS) / max(theirs_ms, LEAST_MS)
