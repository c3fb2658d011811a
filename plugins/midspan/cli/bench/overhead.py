"""`midspan bench overhead`: what Midspan costs, as ratios within one run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from midspan.cli.bench.table import show

MAX_PHOTOS = 100


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    overhead = commands.add_parser(
        "overhead", help="Midspan against bare models on both servers, and the client's cost"
    )
    overhead.add_argument("--config", default="midspan.toml", metavar="FILE", help="default: %(default)s")
    overhead.add_argument("--images", metavar="DIR", help="JPEGs to send, with labels.csv; default: the 20 of foolbox")
    overhead.add_argument("--server", choices=["triton", "torchserve", "both"], default="both")
    overhead.add_argument("--quick", action="store_true", help="a tenth of the requests: shows that it works, no more")
    overhead.add_argument("--json", action="store_true", help="print JSON")
    overhead.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the servers, measure, print a table; 0 even where a limit is missed, since the table says so."""
    from rich.console import Console

    from midspan.config import Config
    from midspan.deploy.ports import free_ports
    from midspan.workbench import overhead, photos

    config = Config.from_toml(args.config)
    found = photos.directory_photos(Path(args.images), MAX_PHOTOS) if args.images else photos.bundled_photos()
    payloads = [photo.data for photo in found]
    sizes = overhead.QUICK if args.quick else overhead.Sizes()
    console = Console(stderr=True)
    rows = []
    with console.status("starting") as status:
        for kind in ("triton", "torchserve") if args.server == "both" else (args.server,):
            local = replace(config, server=replace(config.server, **free_ports()))
            rows += overhead.measure_server(kind, local, payloads, sizes, status.update)
    show("What Midspan costs", rows, {}, as_json=args.json)
    return 0
