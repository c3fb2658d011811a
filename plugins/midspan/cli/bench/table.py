"""How every benchmark shows its measures: our figure, the peer's, their ratio and its limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from midspan.workbench.rows import Row

__all__ = ["show"]


def show(title: str, rows: Sequence[Row], details: Mapping[str, Any], *, as_json: bool, caption: str = "") -> None:
    """Print JSON, with what else was measured under names of its own, or a table of the measures alone."""
    if as_json:
        print(json.dumps({"rows": [row.to_json() for row in rows], **details}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "measure", "ours", "peer", "ratio", "limit", "", title=title, caption=caption or None, caption_justify="left"
    )
    for row in rows:
        figures = (_text(figure, row.unit) for figure in (row.ours, row.peer))
        verdict = "-" if row.holds is None else "holds" if row.holds else "MISSED"
        table.add_row(row.measure, *figures, _text(row.ratio), row.limit, verdict)
    Console().print(table)


def _text(figure: float | None, unit: str = "") -> str:
    return "-" if figure is None else f"{figure:.3f} {unit}".strip()
