"""`midspan placement`: preprocess here or there; what each choice costs, and how well the client chooses.

One module a sub-command, each with `register(commands)`, as in `midspan.cli`.
"""

from __future__ import annotations

import argparse
from importlib import import_module

COMMANDS = ("accuracy", "simulate", "replay", "live", "fit")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its sub-commands."""
    parser = commands.add_parser("placement", help="preprocess on the device or in the cloud: measure what it costs")
    placements = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    for name in COMMANDS:
        import_module(f"midspan.cli.placement.{name}").register(placements)
