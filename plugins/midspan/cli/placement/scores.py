"""How `simulate` and `replay` show their results: tables, JSON, a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from midspan.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from midspan.workbench.placement.scores import CellScores, Summary

__all__ = ["show"]


def show(cells: Sequence[CellScores], title: str, *, as_json: bool, picture: Path | None) -> None:
    """Print JSON on stdout, or a table for each cell and one of the summaries; write the picture where asked for."""
    from rich.console import Console

    console = Console(stderr=as_json)
    if picture is not None:
        from midspan.workbench.placement.scores_picture import draw

        png = draw(cells, title)
        try:
            picture.write_bytes(png)
        except OSError as error:
            raise ConfigError(f"cannot write the picture to {picture}: {error.strerror}") from error
        console.print(f"The picture: {picture}")
    if as_json:
        rows = [asdict(row) for cell in cells for row in cell.rows]
        json.dump({"rows": rows, "summary": [asdict(cell.summary) for cell in cells]}, sys.stdout, indent=1)
        print()
        return
    for cell in cells:
        console.print(_cell(cell), "")
    console.print(_summaries([cell.summary for cell in cells], title))


def _cell(cell: CellScores) -> Table:
    from midspan.workbench.placement.policies import OURS

    table = _empty(f"{cell.device}, {cell.network}: times in ms", "policy", "p50 p95 p99 mean regret F1 local sent")
    for row in cell.rows:
        times = [f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms, row.mean_ms)]
        shares = f"{row.f1:.3f}", f"{cell.local_share[row.policy]:.0%}", f"{row.bandwidth_share:.1%}"
        table.add_row(
            row.policy, *times, f"{row.mean_regret_ms:.2f}", *shares, style="bold" if row.policy == OURS else ""
        )
    return table


def _summaries(summaries: Sequence[Summary], title: str) -> Table:
    caption = (
        "static: the better static choice; F1: less true-means'; gain: over the better\n"
        "static choice, as part of true-means' gain; p50 to mean: over the lower of the\n"
        "static choices'; regret in ms, ours and of PieSlicer's best variant; µs: of a\n"
        "decision, on this machine"
    )
    heads = "static F1 gain p50 p95 p99 mean regret PieSl. µs"
    table = _empty(f"Ours in {title}", "cell", heads, caption)
    for one in summaries:
        ratios = [f"{ratio:.3f}" for ratio in (one.p50_ratio, one.p95_ratio, one.p99_ratio, one.mean_ratio)]
        table.add_row(
            f"{one.device}, {one.network}",
            one.better_static,
            f"{one.f1_minus_true_means:+.3f}",
            "-" if one.recovered is None else f"{one.recovered:.0%}",
            *ratios,
            f"{one.regret_ms:.2f}",
            f"{one.pieslicer_regret_ms:.2f}",
            f"{one.decision_us:.0f}",
        )
    return table


def _empty(title: str, first: str, others: str, caption: str = "") -> Table:
    """A table that fits 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title,
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 0, 0, 0),
        title_justify="left",
        caption=caption,
        caption_justify="left",
    )
    table.add_column(first, no_wrap=True, min_width=19)
    for head in others.split():
        table.add_column(head, justify="right", no_wrap=True)
    return table
