"""`midspan bench placement`: what deciding where to preprocess costs the device."""

from __future__ import annotations

import argparse

from midspan.cli.bench.table import show
from midspan.errors import ConfigError

LEAST, MOST = 100, 100_000


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("placement", help="what deciding where to preprocess, and learning, cost the device")
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and show; 0 even where a limit is missed, since the table says so."""
    from midspan.workbench.placement.cost import measure_cost

    if not LEAST <= args.requests <= MOST:
        raise ConfigError(f"--requests must be between {LEAST} and {MOST}, got {args.requests}")
    show("What the decision costs", measure_cost(args.requests, args.seed), {}, as_json=args.json)
    return 0
