"""What estimators of a link are measured by: errors over all traces, and times where knowing the network pays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from statistics import fmean
from types import MappingProxyType
from typing import Final

from midspan.workbench.placement.linkchoices import CLAIRVOYANT, STATIC, LinkTimes
from midspan.workbench.placement.links import LinkError
from midspan.workbench.rows import Row, at_least, at_most, not_applicable

__all__ = ["PEERS", "by_trace", "measure_choices", "measure_errors"]

PEERS: Final = ("delta", "harmonic")
LEAST_SHARE: Final = 0.667
WORTHWHILE: Final = 0.03
"""Knowing the network pays where it saves more than this part of the better peer's time."""

Time = Callable[[LinkTimes], float]
TAIL_S: Final[Time] = attrgetter("p95_s")
MEAN_S: Final[Time] = attrgetter("mean_s")
READINGS: Final = (
    ("95th percentile, where 3% of it could be saved", TAIL_S, TAIL_S, 1.0),
    ("95th percentile, where 3% of the mean could be saved", TAIL_S, MEAN_S, 1.0),
    ("mean time, where 3% of it could be saved", MEAN_S, MEAN_S, LEAST_SHARE),
)
"""What is compared, what could be saved in it, and in which share of such cases ours should be lower."""
OPPONENTS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {**{peer: (peer,) for peer in PEERS}, "the better of both": PEERS, "the better static choice": STATIC}
)


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

    A case is a trace and a device. It may be the 95th percentile or the mean of which 3% could be saved, and both count
    for the 95th percentile. Ours and the peer's figure are means over these cases of the time as a multiple of the
    clairvoyant's; the ratio is the share of cases in which ours is lower. The better of both peers, and the better
    static choice, are those with the lower time in each case.
    """
    cases: dict[tuple[str, str], dict[str, LinkTimes]] = defaultdict(dict)
    for one in times:
        cases[one.trace, one.device][one.policy] = one
    found = list(cases.values())
    return [
        _against(f"{words}, against {peer}", found, policies, time_s, gain_s, limit)
        for words, time_s, gain_s, limit in READINGS
        for peer, policies in OPPONENTS.items()
        if found
    ]


def _against(
    words: str,
    cases: Sequence[Mapping[str, LinkTimes]],
    policies: Sequence[str],
    time_s: Time,
    gain_s: Time,
    limit: float,
) -> Row:
    open_ = [case for case in cases if _worthwhile(case, policies, gain_s)]
    if not open_:
        return not_applicable(f"{words}: 0 of {len(cases)} cases")
    ours = [time_s(case["ours"]) for case in open_]
    peer = [min(time_s(case[policy]) for policy in policies) for case in open_]
    best = [time_s(case[CLAIRVOYANT]) for case in open_]
    share = sum(our_s < peer_s for our_s, peer_s in zip(ours, peer, strict=True)) / len(open_)
    return at_least(
        f"{words}: lower in {share:.0%} of {len(open_)}/{len(cases)} cases",
        fmean(our_s / best_s for our_s, best_s in zip(ours, best, strict=True)),
        fmean(peer_s / best_s for peer_s, best_s in zip(peer, best, strict=True)),
        share,
        limit,
        "x",
    )


def _worthwhile(case: Mapping[str, LinkTimes], policies: Sequence[str], gain_s: Time) -> bool:
    return gain_s(case[CLAIRVOYANT]) < (1 - WORTHWHILE) * min(gain_s(case[policy]) for policy in policies)
