"""`midspan demo`: a real server, three emulated links, twenty photos; a table, and a picture under `out/`."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from midspan.cli.link import describe
from midspan.cli.progress import progress
from midspan.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from rich.table import Table

    from midspan.emulator import LinkProfile
    from midspan.workbench.demo import DemoRow, DemoSummary
    from midspan.workbench.photos import LabelledPhoto

TITLE = "Midspan chooses, photo by photo: send the original, or resize it on the device first"
MAX_PHOTOS = 20
SEED = 1


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    demo = commands.add_parser("demo", help="watch the client choose over three emulated links, on a real server")
    demo.add_argument("--server", choices=("triton", "torchserve"), default="triton", help="default: %(default)s")
    demo.add_argument(
        "--images", type=Path, metavar="DIR", help="photos with labels.csv (file,class_index); as they are"
    )
    demo.add_argument(
        "--bundle", type=Path, metavar="DIR", default=Path("bundles/efficientnet-lite"), help="made if missing"
    )
    demo.add_argument("--output", type=Path, metavar="DIR", default=Path("out"), help="default: %(default)s")
    demo.add_argument("--json", action="store_true", help="print every request and the summaries as JSON")
    demo.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it, print the table, write the picture. Any request that fails ends it with status 1."""
    from rich.console import Console

    from midspan.deploy.local import LocalServer
    from midspan.emulator import PROFILES
    from midspan.workbench.demo import POLICIES, run_demo, summarise
    from midspan.workbench.photos import at_several_sizes, bundled_photos, directory_photos
    from midspan.workbench.serving import local_config
    from midspan.zoo.build import build_bundle
    from midspan_client import MidspanClientError

    console = Console(stderr=args.json)
    photos = directory_photos(args.images, MAX_PHOTOS) if args.images else at_several_sizes(bundled_photos())
    random.Random(SEED).shuffle(photos)  # noqa: S311 - sizes in a mixed order, the same in every run
    links = list(PROFILES.values())
    with console.status("Making the bundle, if it is not there"):
        build_bundle(args.bundle)
    with tempfile.TemporaryDirectory() as directory:
        config = local_config(args.bundle, Path(directory))
        with console.status(f"Starting a real {args.server}"):
            server = LocalServer(args.server, config).start()
        try:
            with progress(console, len(links) * len(photos) * len(POLICIES)) as step:
                host, port = config.server.host, config.server.http_port
                rows = run_demo(
                    args.server, host, port, photos, links, report=lambda row: step(f"{row.link}: {row.photo}")
                )
        except MidspanClientError as error:
            raise UnavailableError(f"a request failed, so the demo did: {error}") from error
        finally:
            server.stop()
    summaries = summarise(rows)
    notes = _notes(args, photos, links)
    console.print(_table(summaries))
    for note in notes:
        console.print(f"- {note}", style="dim")
    _write(args.output, rows, summaries, notes)
    console.print(f"The picture: {args.output / 'demo.png'}, {args.output / 'demo.html'}")
    if args.json:
        tables = {"rows": [asdict(row) for row in rows], "summaries": [_as_dict(summary) for summary in summaries]}
        json.dump({"server": args.server, **tables, "notes": notes}, sys.stdout, indent=1)
        print()
    return 0


def _table(summaries: Sequence[DemoSummary]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from midspan.workbench.demo import CHOSEN
    from midspan.workbench.picture import HEADS, cells

    caption = "predicted and measured: medians; all: the photos' times added up"
    table = Table(
        header_style="bold", box=SIMPLE_HEAD, caption=caption, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 3 else "right", no_wrap=True)
    for before, summary in zip([None, *summaries], summaries, strict=False):
        if before and before.link != summary.link:
            table.add_section()
        table.add_row(*cells(summary), style="bold" if summary.policy == CHOSEN else "")
    return table


def _notes(args: argparse.Namespace, photos: Sequence[LabelledPhoto], links: Sequence[LinkProfile]) -> list[str]:
    kilobytes = [len(photo.data) / 1e3 for photo in photos]
    sizes = f"{len(photos)} photos of {min(kilobytes):.0f} to {max(kilobytes):.0f} kB"
    made = (
        "as they are"
        if args.images
        else "copies of foolbox's photos, scaled to several sizes (an enlarged one gains bytes, not detail)"
    )
    return [
        f"{sizes}: {made}. Top-1 is of these photos and means little beyond them.",
        f"A real {args.server} on this machine. The device is this machine, too: a phone resizes more slowly.",
        "Links are emulated: " + "; ".join(map(describe, links)) + ".",
        "The choosing client starts knowing nothing of any link; the first photo over each is a guess.",
    ]


def _write(output: Path, rows: Sequence[DemoRow], summaries: Sequence[DemoSummary], notes: Sequence[str]) -> None:
    from midspan.workbench.picture import draw, page

    png = draw(rows, summaries, TITLE)
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "demo.png").write_bytes(png)
        (output / "demo.html").write_text(page(png, summaries, TITLE, notes), "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the picture to {output}: {error.strerror}") from error


def _as_dict(summary: DemoSummary) -> dict[str, object]:
    table = {field.name: getattr(summary, field.name) for field in fields(summary)}
    return {**table, "routes": dict(summary.routes)}
