"""`midspan placement replay`: every policy on the requests that clients recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from midspan.cli.placement.log import add_log_options, read_logs
from midspan.errors import ConfigError


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("replay", help="compare policies on recorded requests")
    add_log_options(parser)
    parser.add_argument(
        "--learn", type=int, default=100, metavar="N", help="the first of each cell, not scored (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what was not measured (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw times and shares, as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, replay and show; what was left out goes to stderr."""
    from midspan.cli.placement.scores import show
    from midspan.workbench.placement.replay import replay

    if args.learn < 0 or args.seed < 0:
        raise ConfigError(f"--learn and --seed must be at least 0, got {args.learn} and {args.seed}")
    log = read_logs(args)
    cells, left_out = replay(log, side_px=args.side, learn=args.learn, seed=args.seed)
    for words in left_out:
        print(f"left out: {words}", file=sys.stderr)
    if not cells:
        raise ConfigError("no device on one network has requests that can be replayed")
    title = f"{len(log)} recorded requests, the first {args.learn} of each cell to learn"
    show(cells, title, as_json=args.json, picture=args.picture)
    return 0
