"""All policies over the same requests, each learning from its own choices alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from midspan.workbench.placement.ours import Ours
from midspan.workbench.placement.policies import OURS, Policy
from midspan.workbench.placement.request import Choice, Request
from midspan.workbench.placement.scores import CellScores, score_cell

__all__ = ["compete", "play"]


def compete(
    device: str,
    network: str,
    requests: Sequence[Request],
    makers: Mapping[str, Callable[[Sequence[Request]], Policy]],
    *,
    learn: int,
    seed: int,
) -> CellScores:
    """Scores of all policies in one cell.

    In the first `learn` requests all take the same choice, drawn at random, and learn from it; they are not scored.
    """
    rng = random.Random(seed)  # noqa: S311 - choices that can be repeated, no secret
    forced = rng.choices(get_args(Choice), k=min(learn, len(requests)))
    choices, decision_us = {}, 0.0
    for name, make in makers.items():
        policy = make(requests)
        choices[name] = play(policy, requests, forced)[len(forced) :]
        if name == OURS and isinstance(policy, Ours):
            decision_us = policy.deciding_s / max(policy.decisions, 1) * 1e6
    return score_cell(device, network, requests[len(forced) :], choices, decision_us)


def play(policy: Policy, requests: Sequence[Request], forced: Sequence[Choice]) -> list[Choice]:
    """What is chosen for each request: what is forced while that lasts, then what the policy says."""
    choices: list[Choice] = []
    for i, request in enumerate(requests):
        choice = forced[i] if i < len(forced) else policy.choose(request.photo, request.at_s)
        choices.append(choice)
        policy.learn(request.photo, choice, request.cost(choice), request.at_s)
    return choices
