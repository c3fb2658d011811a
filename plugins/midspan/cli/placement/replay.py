"""`midspan placement replay`: every policy on the requests that clients recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from midspan.errors import ConfigError

MAX_SIDE_PX = 16_384


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("replay", help="compare policies on recorded requests")
    parser.add_argument("--log", type=Path, metavar="FILE", required=True, help="a client's store")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME",
        help="what the app calls a network, of which the store holds a hash; may be repeated",
    )
    parser.add_argument(
        "--side", type=int, default=331, metavar="PX", help="what devices resized to (default: %(default)s)"
    )
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
    from midspan.workbench.placement.storelog import read_log

    if not 1 <= args.side <= MAX_SIDE_PX:
        raise ConfigError(f"--side must be between 1 and {MAX_SIDE_PX}, got {args.side}")
    if args.learn < 0 or args.seed < 0:
        raise ConfigError(f"--learn and --seed must be at least 0, got {args.learn} and {args.seed}")
    log = read_log(args.log, args.network)
    cells, left_out = replay(log, side_px=args.side, learn=args.learn, seed=args.seed)
    for words in left_out:
        print(f"left out: {words}", file=sys.stderr)
    if not cells:
        raise ConfigError(f"{args.log} has no device and network with requests enough of both kinds")
    title = f"{len(log)} recorded requests, the first {args.learn} of each cell to learn"
    show(cells, title, as_json=args.json, picture=args.picture)
    return 0
