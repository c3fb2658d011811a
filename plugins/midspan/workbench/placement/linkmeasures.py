"""What estimators of a link are measured by: errors over all traces, and times where knowing the network pays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from midspan.workbench.placement.linkchoices import CLAIRVOYANT, LinkTimes
from midspan.workbench.placement.links import LinkError
from midspan.workbench.rows import Row, at_least, at_most

__all__ = ["PEERS", "by_trace", "measure_choices", "measure_errors"]

PEERS: Final = ("delta", "harmonic")
LEAST_SHARE: Final = 0.667
WORTHWHILE: Final = 0.03
"""Knowing the network pays where it saves more than this part of the better peer's time."""


def by_trace(errors: Sequence[LinkError]) -> dict[str, dict[str, float]]:
    """Of each trace the mean error of each estimator, over all think times."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for error in errors:
        found[error.trace][error.estimator].append(error.log_error)
    return {trace: {name: fmean(values) for name, values in of.items()} for trace, of in found.items()}


def measure_errors(errors: Sequence[LinkError]) -> list[Row]:
    """Ours against each peer's on average, and the share of traces on which ours is below both."""
    traces = by_trace(errors)
    mean = {name: fmean(of[name] for of in traces.values()) for name in ("ours", *PEERS)}
    wins = sum(of["ours"] < min(of[peer] for peer in PEERS) for of in traces.values())
    words = f"traces of {len(traces)} on which ours is below both"
    return [
        *(at_most(f"mean |log error|, against {peer}", mean["ours"], mean[peer], 1.0, "") for peer in PEERS),
        at_least(words, wins, len(traces), wins / len(traces), LEAST_SHARE, ""),
    ]


def measure_choices(times: Sequence[LinkTimes]) -> list[Row]:
    """95th percentile and mean of a request's time, where the clairvoyant saves over 3% of the peer's.

    A case is a trace and a device. Ours and the peer's figure are means over these cases of the time as a multiple of
    the clairvoyant's; the ratio is the share of cases in which ours is lower. No row where there is no such case.
    """
    rows = []
    for attribute, words, limit in (("p95_s", "95th percentile", 1.0), ("mean_s", "mean time", LEAST_SHARE)):
        cases: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for one in times:
            cases[one.trace, one.device][one.policy] = getattr(one, attribute)
        for peer in PEERS:
            rows += _against(f"{words}, against {peer}", [(case, case[peer]) for case in cases.values()], limit)
        better = [(case, min(case[peer] for peer in PEERS)) for case in cases.values()]
        rows += _against(f"{words}, against the better of both", better, limit)
    return rows


def _against(words: str, cases: Sequence[tuple[Mapping[str, float], float]], limit: float) -> list[Row]:
    open_ = [(case["ours"], peer_s, case[CLAIRVOYANT]) for case, peer_s in cases if _worthwhile(case, peer_s)]
    if not open_:
        return []
    ours, peer = fmean(ours / best for ours, _, best in open_), fmean(peer / best for _, peer, best in open_)
    share = sum(ours_s < peer_s for ours_s, peer_s, _ in open_) / len(open_)
    return [
        at_least(f"{words}, lower in {share:.0%} of {len(open_)}/{len(cases)} cases", ours, peer, share, limit, "x")
    ]


def _worthwhile(case: Mapping[str, float], peer_s: float) -> bool:
    return case[CLAIRVOYANT] < (1 - WORTHWHILE) * peer_s
