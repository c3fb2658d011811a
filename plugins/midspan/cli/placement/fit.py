"""`midspan placement fit`: how well models foretell each component of recorded requests."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from midspan.cli.placement.log import add_log_options, read_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from midspan.workbench.placement.fit import FitRow, Forecast


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("fit", help="compare models of time on recorded requests")
    add_log_options(parser)
    parser.add_argument(
        "--trim", action="store_true", help="scikit-learn's models learn from the 5th to the 95th percentile alone"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw predicted against measured, as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fit and show."""
    from rich.console import Console

    from midspan.cli.pictures import write_picture
    from midspan.cli.progress import progress
    from midspan.workbench.placement.fit import fit_cell, group_by_cell, steps
    from midspan.workbench.placement.fit_picture import draw

    cells = group_by_cell(read_logs(args))
    rows: list[FitRow] = []
    forecasts: list[Forecast] = []
    console = Console(stderr=True)
    with progress(console, sum(steps(requests) for requests in cells.values())) as report:
        for (device, _), requests in cells.items():
            step = partial(_step, report, device)
            found = fit_cell(requests, side_px=args.side, trim=args.trim, report=step)
            rows += found[0]
            forecasts += found[1]
    if args.picture:
        write_picture(args.picture, draw(forecasts, f"Predicted before it was measured: {len(cells)} cells"))
        console.print(f"The picture: {args.picture}")
    if args.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}, indent=1))
        return 0
    for component in dict.fromkeys(row.component for row in rows):
        Console().print(_table(component, [row for row in rows if row.component == component]))
    return 0


def _step(report: Callable[[str], None], device: str, words: str) -> None:
    report(f"{device}: {words}")


def _table(component: str, rows: Sequence[FitRow]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    models = list(dict.fromkeys(row.model for row in rows))
    table = Table(title=f"{component}: mean absolute percentage error", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("cell", no_wrap=True)
    for head in (*models, "n"):
        table.add_column(head.removeprefix("ours "), justify="right", no_wrap=True)
    for device, network in dict.fromkeys((row.device, row.network) for row in rows):
        of = {row.model: row for row in rows if (row.device, row.network) == (device, network)}
        errors = [f"{of[model].mape_percent:.1f}" if model in of else "-" for model in models]
        name = ", ".join((device, network)).replace("[", r"\[")
        table.add_row(name, *errors, str(max(row.n for row in of.values())))
    return table
