"""The command `midspan`: one module a command, each with `register(commands)`, which sets `run(args) -> int`.

A command's module imports what is heavy inside `run`, so that `midspan --help` is quick and works without extras.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

import midspan
from midspan.errors import MidspanError

__all__ = ["main"]

COMMANDS = ("plugins", "zoo", "serve", "deploy", "watch", "link", "demo", "bench", "placement")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="midspan", description=midspan.__doc__)
    parser.add_argument("--version", action="version", version=f"midspan {midspan.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"midspan.cli.{name}").register(commands)
    args = parser.parse_args(argv)
    try:
        status: int = args.run(args)
    except MidspanError as error:
        print(f"midspan: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"midspan: this command needs {error.name}; install midspan with its extras", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status
