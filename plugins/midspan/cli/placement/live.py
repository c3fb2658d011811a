"""`midspan placement live`: a real server, emulated links and phones; who decides best where to preprocess."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from midspan.cli.link import describe
from midspan.cli.progress import progress
from midspan.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from midspan.config import Config
    from midspan.emulator import LinkProfile, LinkTrace
    from midspan.workbench.photos import LabelledPhoto
    from midspan.workbench.placement.live import LiveRun
    from midspan.workbench.placement.live_clients import LiveCell
    from midspan.workbench.placement.live_scores import LiveScore, LiveSummary

SIDES_PX = (180, 300, None, 800, 1300, 2100, 3400)
"""Longer sides that photos get in turn, from a preview to a camera's; None leaves one as it is."""
MAX_PHOTOS = 2000
HEADS = ("", "p50", "p95", "p99", "mean", "regret", "F1", "local", "sent", "class")
SUMMARY_HEADS = ("", "better", "mean", "p50", "p95", "regret", "PieSlicer's")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("live", help="all policies on a real server, over emulated links, on emulated phones")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="photos, scaled to several sizes; default: foolbox's"
    )
    parser.add_argument("--server", choices=("triton", "torchserve"), default="triton", help="default: %(default)s")
    parser.add_argument("--bundle", type=Path, metavar="DIR", default=Path("bundles/efficientnet-lite"))
    parser.add_argument(
        "--devices",
        metavar="NAME[=FACTOR],…",
        default="pixel2,motox4,nexus5",
        help="emulated devices, and how many times as long as this machine they take; default: %(default)s",
    )
    parser.add_argument(
        "--links", metavar="NAME|FILE,…", default="wifi,lte", help="profiles or traces; default: %(default)s"
    )
    parser.add_argument("--requests", type=int, metavar="N", default=30, help="photos a cell; default: %(default)s")
    parser.add_argument(
        "--learn", type=int, metavar="N", default=20, help="photos before, to learn from; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, metavar="N", default=1, help="default: %(default)s")
    parser.add_argument("--store-dir", type=Path, metavar="DIR", help="keep each client's store there")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw all cells, as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all cells, print the table; 1 where a request failed."""
    from rich.console import Console

    from midspan.deploy.local import LocalServer
    from midspan.workbench.placement.live_scores import score_run, summarise
    from midspan.workbench.serving import local_config
    from midspan.zoo.build import build_bundle

    console = Console(stderr=args.json)
    cells = _cells(args)
    with console.status("Reading photos, and scaling them"):
        photos = _photos(args)
    with console.status("Making the bundle, if it is not there"):
        build_bundle(args.bundle)
    with ExitStack() as stack:
        config = local_config(args.bundle, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        with console.status(f"Starting a real {args.server}"):
            stack.enter_context(LocalServer(args.server, config))
        runs = _run_cells(args, config, photos, cells, console)
    scores = [score for one in runs for score in score_run(one)]
    failures = [failure for one in runs for failure in one.failures]
    summaries = summarise(scores)
    console.print(_table(scores), _summary_table(summaries), sep="\n\n")
    notes = _notes(args, photos, cells)
    for note in notes:
        console.print(f"- {note}", style="dim", markup=False)
    for failure in failures:
        print(f"midspan: failed: {failure}", file=sys.stderr)
    if args.picture is not None and scores:
        _draw(args.picture, scores, f"{args.server}, {scores[0].requests} photos a cell")
    if args.json:
        requests = [asdict(request) for one in runs for request in one.requests]
        tables = {"rows": [asdict(score) for score in scores], "summary": [asdict(one) for one in summaries]}
        print(json.dumps({**tables, "failures": failures, "notes": notes, "requests": requests}, indent=1))
    return 1 if failures else 0


def _run_cells(
    args: argparse.Namespace,
    config: Config,
    photos: Sequence[LabelledPhoto],
    cells: Sequence[LiveCell],
    console: Console,
) -> list[LiveRun]:
    """One cell after the other, until one is given up."""
    from midspan.workbench.placement.live import LivePlan, run_cell
    from midspan.workbench.serving import warm_up
    from midspan_client import MidspanClientError

    host, port = config.server.host, config.server.http_port
    plan = LivePlan(args.server, host, port, photos, args.learn, args.seed, args.store_dir)
    runs: list[LiveRun] = []
    try:
        if plan.store_dir is not None:
            plan.store_dir.mkdir(parents=True, exist_ok=True)
        warm_up(plan.server, f"http://{host}:{port}", photos[0].data)
        with progress(console, len(cells) * len(photos)) as step:
            for cell in cells:
                runs.append(run_cell(plan, cell, step))
                if runs[-1].given_up:
                    break
    except MidspanClientError as error:
        raise UnavailableError(f"the server does not answer: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot make {args.store_dir}: {error.strerror}") from error
    return runs


def _cells(args: argparse.Namespace) -> list[LiveCell]:
    """Every device on every link."""
    from midspan.workbench.placement.live_clients import LiveCell

    for name, value, least in (("requests", args.requests, 1), ("learn", args.learn, 0)):
        if not least <= value <= MAX_PHOTOS:
            raise ConfigError(f"--{name} must be between {least} and {MAX_PHOTOS}, got {value}")
    devices = dict(_device(text) for text in args.devices.split(","))
    links = {link.name: link for link in map(_link, args.links.split(","))}
    return [LiveCell(name, factor, link) for link in links.values() for name, factor in devices.items()]


def _device(text: str) -> tuple[str, float]:
    from midspan.workbench.placement.live_device import DEVICES, check_factor

    name, given, factor = text.partition("=")
    if not re.fullmatch(r"[\w-]{1,40}", name):  # it becomes part of a file's name
        raise ConfigError(f"a device's name must be 1 to 40 letters, digits, - and _; got {name[:60]!r}")
    if not given and name not in DEVICES:
        raise ConfigError(f"needs a factor for {name!r}, as in {name}=10; known are {', '.join(DEVICES)}")
    try:
        return name, check_factor(float(factor) if given else DEVICES[name])
    except ValueError:
        raise ConfigError(f"the factor of {name} must be a number, got {factor[:40]!r}") from None


def _link(text: str) -> LinkProfile | LinkTrace:
    from midspan.emulator import PROFILES, read_trace

    return PROFILES[text] if text in PROFILES else read_trace(text, delay_ms=PROFILES["lte"].delay_ms)


def _photos(args: argparse.Namespace) -> list[LabelledPhoto]:
    """As many as a cell needs: at several sizes, each taken again, at another size, where there are too few."""
    from midspan.workbench.photos import LabelledPhoto, at_several_sizes, bundled_photos, find_photos
    from midspan_client import Photo

    count = args.learn + args.requests
    if args.images is None:
        found = bundled_photos()
    else:
        files = find_photos(args.images, count)
        found = [LabelledPhoto(file.path.name, file.read(), file.class_index or 0) for file in files]
    usable = [photo for photo in found if Photo(photo.data).header.simple]
    if not usable:
        raise ConfigError("no photo is of a kind that the client would resize: gray or three colours of 8 bits")
    try:
        photos = at_several_sizes(list(islice(cycle(usable), count)), SIDES_PX)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged pictures
        raise ConfigError(f"a photo of {args.images} cannot be scaled: {error}"[:300]) from error
    random.Random(args.seed).shuffle(photos)  # noqa: S311 - sizes in a mixed order, the same in every run
    return photos


def _notes(args: argparse.Namespace, photos: Sequence[LabelledPhoto], cells: Sequence[LiveCell]) -> list[str]:
    from midspan.workbench.placement.live_scores import STATIC_MINIMUM

    kilobytes = sorted(len(photo.data) / 1e3 for photo in photos)
    devices = ", ".join(f"{name} {factor:g} times" for name, factor in {c.device: c.factor for c in cells}.items())
    links = {cell.link.name: cell.link for cell in cells}
    return [
        f"{len(photos)} photos of {kilobytes[0]:.0f} to {kilobytes[-1]:.0f} kB, median {median(kilobytes):.0f} kB, in "
        "every cell, in one order: most are scaled copies (an enlarged one gains bytes, not detail). "
        f"The first {min(args.learn, len(photos))} are to learn from, by random choices, and do not count.",
        f"A real {args.server} and real clients on this machine. Devices do the work and take longer: {devices}.",
        "Links are emulated: " + "; ".join(map(describe, links.values())) + ".",
        f"{STATIC_MINIMUM}: the quicker of local and remote for each photo, after the fact. F1 is against it; regret "
        "is what the choices cost beyond it, in the times of local and remote. Class: equal to that of the original.",
    ]


def _table(scores: Sequence[LiveScore]) -> Table:
    from midspan.workbench.placement.policies import OURS

    table = _empty_table(HEADS, "Times in ms.")
    for before, score in zip([None, *scores], scores, strict=False):
        if before is None or (before.device, before.link) != (score.device, score.link):
            table.add_section()
            table.add_row(f"{score.device} over {score.link}", style="bold")
        table.add_row(*_cells_of(score), style="bold" if score.policy == OURS else "")
    return table


def _summary_table(summaries: Sequence[LiveSummary]) -> Table:
    caption = "ours over the better static choice; regret in ms, and the least of PieSlicer's variants"
    table = _empty_table(SUMMARY_HEADS, caption)
    for one in summaries:
        ratios = (f"{ratio:.3f}" for ratio in (one.mean_ratio, one.p50_ratio, one.p95_ratio))
        regrets = (f"{one.regret_ms:.1f}", f"{one.pieslicer_regret_ms:.1f}")
        table.add_row(f"{one.device} over {one.link}", one.better_static, *ratios, *regrets)
    return table


def _empty_table(heads: Sequence[str], caption: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), caption=caption)
    for head in heads:
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    return table


def _cells_of(score: LiveScore) -> tuple[str, ...]:
    times_ms = (score.p50_ms, score.p95_ms, score.p99_ms, score.mean_ms)
    shares = (score.local_share, score.bandwidth_share, score.answers_equal)
    return (
        f"  {score.policy}",
        *(f"{time_ms:.0f}" for time_ms in times_ms),
        f"{score.mean_regret_ms:.1f}",
        f"{score.f1:.3f}",
        *(f"{share:.0%}" for share in shares),
    )


def _draw(path: Path, scores: Sequence[LiveScore], title: str) -> None:
    from midspan.workbench.placement.live_picture import draw

    png = draw(scores, title)
    try:
        path.write_bytes(png)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
