"""`midspan placement simulate`: six devices and networks, every policy on the same draws."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from midspan.errors import ConfigError

MAX_REQUESTS = 100_000


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("simulate", help="compare policies on simulated devices and networks")
    parser.add_argument("--coefficients", type=Path, metavar="FILE", required=True, help="true times, JSON")
    parser.add_argument(
        "--sizes", type=Path, metavar="DIR|FILE", required=True, help="CSV: bytes,width,height[,sent_bytes]; or photos"
    )
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="in each cell (default: %(default)s)")
    parser.add_argument(
        "--learn", type=int, default=100, metavar="N", help="the first, not scored (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw times and shares, as PNG")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write what ours measured into a new store")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate and show."""
    from rich.console import Console

    from midspan.cli.placement.scores import show
    from midspan.cli.progress import progress
    from midspan.workbench.photos import find_photos
    from midspan.workbench.placement.cells import read_coefficients
    from midspan.workbench.placement.simulate import simulate
    from midspan.workbench.placement.sizes import MAX_PHOTOS, read_sizes
    from midspan.workbench.placement.storelog import Recording

    if not 0 <= args.learn < args.requests <= MAX_REQUESTS:
        raise ConfigError(
            f"--learn must be at least 0 and below --requests, and that at most {MAX_REQUESTS}; "
            f"got {args.learn} and {args.requests}"
        )
    if args.seed < 0:
        raise ConfigError(f"--seed must be at least 0, got {args.seed}")
    coefficients = read_coefficients(args.coefficients)
    most = min(args.requests, MAX_PHOTOS)
    steps = len(find_photos(args.sizes, most)) if args.sizes.is_dir() else 0
    with ExitStack() as stack:
        recording = Recording(args.log, len(coefficients.cells)) if args.log else None
        if recording:
            stack.callback(recording.close)
        report = stack.enter_context(progress(Console(stderr=True), steps + len(coefficients.cells)))
        photos = read_sizes(args.sizes, coefficients, most, report=lambda done: report(f"resizing: photo {done}"))
        cells = simulate(
            coefficients,
            photos,
            requests=args.requests,
            learn=args.learn,
            seed=args.seed,
            witness=recording.witness if recording else lambda cell: None,
            report=lambda scores: report(f"{scores.device}, {scores.network}"),
        )
    title = f"{args.requests} requests with the sizes of {args.sizes.name}, the first {args.learn} to learn"
    show(cells, title, as_json=args.json, picture=args.picture)
    return 0
