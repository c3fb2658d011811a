"""The six cells, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from midspan.workbench.placement.cells import Cell, Coefficients
from midspan.workbench.placement.draws import draw_requests
from midspan.workbench.placement.ours import Witness
from midspan.workbench.placement.play import compete
from midspan.workbench.placement.policies import policies
from midspan.workbench.placement.scores import CellScores
from midspan.workbench.placement.sizes import SizedPhoto, in_order

__all__ = ["simulate"]


def simulate(
    coefficients: Coefficients,
    photos: Sequence[SizedPhoto],
    *,
    requests: int,
    learn: int,
    seed: int,
    witness: Callable[[Cell], Witness | None] = lambda cell: None,
    report: Callable[[CellScores], None] = lambda scores: None,
) -> list[CellScores]:
    """All policies in all cells, on the same photos; in each cell on the same draws.

    Args:
        coefficients: the true time of each component.
        photos: their sizes; see `in_order`.
        requests: how many in each cell, the first `learn` of which are not scored.
        learn: see `compete`.
        seed: of draws, order and forced choices.
        witness: for each cell, who is told what `ours` measures there.
        report: called after each cell.

    """
    taken = in_order(photos, requests, seed)
    results = []
    for cell in coefficients.cells:
        makers = policies(coefficients.constants, witness(cell))
        drawn = draw_requests(cell, coefficients, taken, seed)
        results.append(compete(cell.device, cell.network, drawn, makers, learn=learn, seed=seed))
        report(results[-1])
    return results
