"""`midspan bench`: Midspan against its peers, as ratios within one run.

One module a sub-command, each with `register(commands)`, as in `midspan.cli`.
"""

from __future__ import annotations

import argparse
from importlib import import_module

COMMANDS = ("overhead", "links", "placement")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its sub-commands."""
    parser = commands.add_parser("bench", help="measure Midspan against its peers")
    benches = parser.add_subparsers(metavar="BENCH", required=True)
    for name in COMMANDS:
        import_module(f"midspan.cli.bench.{name}").register(benches)
