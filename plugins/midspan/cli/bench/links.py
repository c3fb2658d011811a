"""`midspan bench links`: our estimator of the network against PieSlicer's and the harmonic mean."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from midspan.cli.bench.table import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

UNKNOWN_RTT_MS = 50.0
"""There and back, where a trace does not say."""
CAPTION = (
    "A case is a trace and a device for which knowing all transfers would save over 3% of the peer's time:\n"
    "of its 95th percentile, or of its mean. x: times what that would take. Better static: always on the\n"
    "device, or always in the cloud."
)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("links", help="estimators of the network's time, on recorded networks")
    parser.add_argument(
        "--trace", type=Path, metavar="FILE|DIR", required=True, help="CSV: duration_ms,mbps,latency_ms; or many"
    )
    parser.add_argument(
        "--coefficients",
        type=Path,
        metavar="FILE",
        help="times of devices, JSON: where to preprocess, over these links",
    )
    parser.add_argument(
        "--transfers", type=int, default=1000, metavar="N", help="over each link and pace (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw each trace's errors, as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the traces and show; 0 even where a limit is missed, since the table says so."""
    from rich.console import Console

    from midspan.cli.pictures import write_picture
    from midspan.cli.progress import progress
    from midspan.workbench.placement.cells import read_coefficients
    from midspan.workbench.placement.linkchoices import LinkTimes, score_choices
    from midspan.workbench.placement.linkmeasures import by_trace, measure_choices, measure_errors
    from midspan.workbench.placement.links import LinkError, Plan, find_traces, score_link
    from midspan.workbench.placement.links_picture import draw

    plan = Plan(transfers=args.transfers, seed=args.seed)
    coefficients = read_coefficients(args.coefficients) if args.coefficients else None
    networks = find_traces(args.trace, UNKNOWN_RTT_MS / 2e3)
    errors: list[LinkError] = []
    times: list[LinkTimes] = []
    console = Console(stderr=True)
    with progress(console, len(networks)) as report:
        for network in networks:
            errors += score_link(network, plan)
            if coefficients:
                times += score_choices(network, plan, coefficients)
            report(network.name)
    traces = by_trace(errors)
    if args.picture:
        write_picture(args.picture, draw(traces, f"{plan.transfers} transfers at {len(plan.think_s)} paces"))
        console.print(f"The picture: {args.picture}")
    if not args.json:
        Console().print(_traces(traces))
    details = {"errors": [asdict(one) for one in errors], "times": [asdict(one) for one in times]}
    rows = measure_errors(errors) + measure_choices(times)
    show("How well the network is foretold", rows, details, as_json=args.json, caption=CAPTION if times else "")
    return 0


def _traces(traces: Mapping[str, Mapping[str, float]]) -> Table:
    from rich.table import Table

    names = list(next(iter(traces.values())))
    table = Table("trace", *names, title="Mean |log(predicted / measured)| of a transfer's time")
    for trace, errors in traces.items():
        least = min(errors.values())
        cells = [f"[bold]{error:.3f}[/]" if error == least else f"{error:.3f}" for error in errors.values()]
        table.add_row(trace.replace("[", r"\["), *cells)
    return table
