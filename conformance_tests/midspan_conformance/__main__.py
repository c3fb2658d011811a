"""The command line: `midspan-conformance run` tries every check on a server, `list` tells what they are."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from midspan_conformance import pictures, runner
from midspan_conformance.check import Outcome, Result
from midspan_conformance.checks import PROFILES
from midspan_conformance.exchange import Exchange, NoAnswerError
from midspan_conformance.host import HOSTS
from midspan_conformance.subject import Subject

__all__ = ["main"]

FAILED, UNREACHABLE = 1, 2
TOKEN_VARIABLE = "MIDSPAN_TOKEN"  # noqa: S105  # the variable's name, not a token
MAX_PICTURE_BYTES = 2**28


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if no check failed, 1 if one did, 2 if the server cannot be reached or the command is wrong."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for check in PROFILES[options.profile]:
            print(f"{check.id:32}{check.requirement} ({check.source})")
        return 0
    try:
        subject = _subject(options)
        runner.reach(subject)
    except (NoAnswerError, OSError, ValueError) as error:
        print(f"cannot try {options.url}: {error}", file=sys.stderr)
        return UNREACHABLE
    results = runner.run(PROFILES[options.profile], subject, _silent if options.json else _print)
    if options.json:
        print(json.dumps(runner.as_json(subject, options.profile, results), indent=1))
    else:
        print(runner.as_summary(results))
    return FAILED if any(result.outcome is Outcome.FAILED for result in results) else 0


def _subject(options: argparse.Namespace) -> Subject:
    if not options.url.startswith(("http://", "https://")):
        raise ValueError("a URL starts with http:// or https://")
    picture = pictures.sample()
    if options.picture:
        with options.picture.open("rb") as file:
            picture = file.read(MAX_PICTURE_BYTES)
    exchange = Exchange(options.url, options.timeout, os.environ.get(TOKEN_VARIABLE, ""))
    return Subject(HOSTS[options.server](), exchange, picture, options.expect, options.burst)


def _print(result: Result) -> None:
    print(runner.as_line(result), flush=True)


def _silent(result: Result) -> None:
    pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="midspan-conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="try every check on a running server")
    run.add_argument("--url", required=True, help="where its HTTP port is, such as http://127.0.0.1:8000")
    run.add_argument("--server", required=True, choices=sorted(HOSTS), help="what kind of server it is")
    run.add_argument("--picture", type=Path, help="a picture to classify; without it a made one, of nothing known")
    run.add_argument("--expect", type=int, help="the index of the picture's most likely class")
    run.add_argument("--timeout", type=_positive, default=30.0, help="seconds to wait for each answer (30)")
    run.add_argument("--burst", type=_count, default=32, help="how many requests at once to provoke overload (32)")
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.epilog = f"A bearer token is read from the environment variable {TOKEN_VARIABLE}."
    listing = commands.add_parser("list", help="print every check with its requirement")
    for command in (run, listing):
        command.add_argument("--profile", choices=sorted(PROFILES), default="core", help="which checks (core)")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 3600:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
