"""How well policies did in a live run: PieSlicer's measures (sections 6.1 to 6.3) over measured times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from midspan.workbench.placement.live import LiveRequest, LiveRun
from midspan.workbench.placement.live_clients import POLICIES
from midspan.workbench.placement.policies import LOCAL, OURS, PIESLICERS, REMOTE
from midspan.workbench.placement.request import Choice
from midspan.workbench.placement.scores import PERCENTILES, f1_score

__all__ = ["STATIC_MINIMUM", "LiveScore", "LiveSummary", "score_run", "summarise"]

STATIC_MINIMUM: Final = "static minimum"
"""The quicker of the two static policies' answers to each photo."""


@dataclass(frozen=True, slots=True)
class LiveScore:
    """One policy in one cell, over the photos that every policy got an answer to.

    Attributes:
        device: of the cell.
        link: of the cell.
        policy: its name.
        requests: how many photos.
        p50_ms: percentiles of the time from the decision to the answer.
        p95_ms: the same.
        p99_ms: the same.
        mean_ms: its mean.
        f1: of "preprocess on the device" against the quicker static policy of each photo.
        local_share: how often it chose the device.
        bandwidth_share: bytes sent over those that always sending the original took.
        mean_regret_ms: what its choices cost beyond the better ones: both taken from the static policies' times for the
            same photo, so that chance in its own times is left out.
        answers_equal: share of the photos for which it got the class that the original gets.

    """

    device: str
    link: str
    policy: str
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    f1: float
    local_share: float
    bandwidth_share: float
    mean_regret_ms: float
    answers_equal: float


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """`ours` against the others in one cell.

    Attributes:
        device: of the cell.
        link: of the cell.
        better_static: "local" or "remote": the one with the lower mean.
        mean_ratio: mean over the better static one's.
        p50_ratio: percentile over the lower of the two statics'.
        p95_ratio: the same.
        regret_ms: mean regret.
        pieslicer_regret_ms: the least that a variant of PieSlicer has.

    """

    device: str
    link: str
    better_static: str
    mean_ratio: float
    p50_ratio: float
    p95_ratio: float
    regret_ms: float
    pieslicer_regret_ms: float


def summarise(scores: Sequence[LiveScore]) -> list[LiveSummary]:
    """One for each cell of which all policies have a row."""
    cells: dict[tuple[str, str], dict[str, LiveScore]] = {}
    for score in scores:
        cells.setdefault((score.device, score.link), {})[score.policy] = score
    return [_summary(rows) for rows in cells.values() if set(POLICIES) <= set(rows)]


def score_run(run: LiveRun) -> list[LiveScore]:
    """A row for each policy, after one for the static minimum; none without a photo."""
    by_policy: dict[str, dict[int, LiveRequest]] = {}
    for request in run.requests:
        by_policy.setdefault(request.policy, {})[request.number] = request
    if not {LOCAL, REMOTE} <= set(by_policy):
        return []
    numbers = sorted(set.intersection(*(set(answered) for answered in by_policy.values())))
    if not numbers:
        return []
    taken = {policy: [by_policy[policy][at] for at in numbers] for policy in POLICIES if policy in by_policy}
    quicker = [min(pair, key=lambda one: one.total_s) for pair in zip(taken[LOCAL], taken[REMOTE], strict=True)]
    statics: dict[Choice, list[LiveRequest]] = {"local": taken[LOCAL], "remote": taken[REMOTE]}
    all_taken = [(STATIC_MINIMUM, quicker), *taken.items()]
    return [_score(policy, chosen, statics, quicker) for policy, chosen in all_taken]


def _summary(rows: Mapping[str, LiveScore]) -> LiveSummary:
    ours, statics = rows[OURS], (rows[LOCAL], rows[REMOTE])
    static = min(statics, key=lambda row: row.mean_ms)
    return LiveSummary(
        device=ours.device,
        link=ours.link,
        better_static=static.policy,
        mean_ratio=ours.mean_ms / static.mean_ms,
        p50_ratio=ours.p50_ms / min(row.p50_ms for row in statics),
        p95_ratio=ours.p95_ms / min(row.p95_ms for row in statics),
        regret_ms=ours.mean_regret_ms,
        pieslicer_regret_ms=min(rows[name].mean_regret_ms for name in PIESLICERS),
    )


def _score(
    policy: str,
    taken: Sequence[LiveRequest],
    statics: Mapping[Choice, Sequence[LiveRequest]],
    quicker: Sequence[LiveRequest],
) -> LiveScore:
    times_ms = np.array([one.total_s for one in taken]) * 1e3
    p50_ms, p95_ms, p99_ms = (float(value) for value in np.percentile(times_ms, PERCENTILES))
    choices = [one.choice for one in taken]
    same = [statics[choice][at].total_s for at, choice in enumerate(choices)]
    originals = statics["remote"]
    return LiveScore(
        device=taken[0].device,
        link=taken[0].link,
        policy=policy,
        requests=len(taken),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        mean_ms=float(times_ms.mean()),
        f1=f1_score(choices, [one.choice for one in quicker]),
        local_share=choices.count("local") / len(choices),
        bandwidth_share=sum(one.bytes_up for one in taken) / sum(one.bytes_up for one in originals),
        mean_regret_ms=float(np.mean([a - b.total_s for a, b in zip(same, quicker, strict=True)])) * 1e3,
        answers_equal=float(np.mean([a.top_class == b.top_class for a, b in zip(taken, originals, strict=True)])),
    )
