"""The options that say what was recorded, and reading it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from midspan.errors import ConfigError

if TYPE_CHECKING:
    from midspan.workbench.placement.storelog import LoggedRequest

__all__ = ["add_log_options", "read_logs"]

MAX_SIDE_PX = 16_384


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add --log, --network and --side."""
    parser.add_argument(
        "--log", type=Path, action="append", metavar="FILE", required=True, help="a client's store; may be repeated"
    )
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


def read_logs(args: argparse.Namespace) -> list[LoggedRequest]:
    """The requests of all logs, each oldest first. Raises ConfigError, also for a side that is none."""
    from midspan.workbench.placement.storelog import read_log

    if not 1 <= args.side <= MAX_SIDE_PX:
        raise ConfigError(f"--side must be between 1 and {MAX_SIDE_PX}, got {args.side}")
    return [one for path in args.log for one in read_log(path, args.network)]
