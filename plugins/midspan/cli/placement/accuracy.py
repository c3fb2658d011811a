"""`midspan placement accuracy`: what it costs that the device resizes and encodes anew, by side and JPEG quality."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midspan import bundle
from midspan.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from midspan.config import Config
    from midspan.workbench.photos import PhotoFile
    from midspan.workbench.placement.accuracy import Measurement, Plan

OTHER_SIDES_PX = (128, 331)
"""Those that the paper compares."""
QUALITIES = (50, 75, 90, 95)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("accuracy", help="what preprocessing on the device costs in accuracy")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", required=True, help="photos; with labels.csv (file,class_index) for top-1"
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", default=Path("bundles/efficientnet-lite"))
    parser.add_argument("--variant", metavar="NAME", help="default: the bundle's default")
    parser.add_argument(
        "--sides", type=_numbers, metavar="PX,…", help="what the device resizes to; default: 128, 331, the variant's"
    )
    parser.add_argument("--qualities", type=_numbers, metavar="Q,…", default=QUALITIES, help="default: 50,75,90,95")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N photos; default: all")
    parser.add_argument("--write", action="store_true", help="put what the variant's own side costs into the bundle")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw accuracy against bytes, as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and keep what was asked to be kept."""
    from rich.console import Console

    from midspan.pipeline import Pipeline
    from midspan.workbench.photos import find_photos
    from midspan.workbench.placement.accuracy import measure_accuracy, write_rows
    from midspan_client.engine import PillowEngine

    if args.limit is not None and args.limit < 1:
        raise ConfigError(f"--limit must be at least 1, got {args.limit}")
    plan = _plan(args)
    photos = find_photos(args.images, args.limit)
    console = Console(stderr=args.json)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(closing(Pipeline.load(_config(args.bundle, scratch))))
        report = stack.enter_context(_progress(console, len(photos)))
        found = measure_accuracy(photos, plan, PillowEngine(), server.infer, report=report)
    console.print(_table(found, plan))
    for reason in found.skipped:
        console.print(f"skipped {reason}", style="dim", markup=False)
    if args.picture is not None:
        _draw(args.picture, found, plan)
    if args.write:
        write_rows(args.bundle, plan.variant, found.rows)
        console.print(f"{args.bundle} says now what {plan.variant} loses at {plan.preprocessing.side_px} px")
    if args.json:
        print(json.dumps(_tables(found, plan), indent=1))
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs whole numbers with commas between, got {text[:100]!r}") from None


def _plan(args: argparse.Namespace) -> Plan:
    """Whatever cannot work is told before minutes are spent on it."""
    from midspan.workbench.placement.accuracy import Plan

    family = bundle.load(args.bundle)
    variant = family.variant(args.variant or family.default)
    side_px = variant.preprocessing.side_px
    sides_px = args.sides if args.sides is not None else tuple(sorted({*OTHER_SIDES_PX, side_px}))
    plan = Plan(variant.name, variant.preprocessing, sides_px, tuple(args.qualities))
    if args.write and side_px not in sides_px:
        raise ConfigError(f"--write needs {side_px} among --sides: it is the side of {variant.name}")
    if args.write and len(plan.qualities) > bundle.MAX_PREPROCESSED:
        raise BundleError(f"a bundle holds at most {bundle.MAX_PREPROCESSED} qualities, got {len(plan.qualities)}")
    return plan


def _config(directory: Path, scratch: str) -> Config:
    from midspan.config import Config

    return Config.from_tables(
        {
            "plugins": {"enabled": ["preprocess", "onnxruntime"]},
            "family": {"bundle": str(directory.resolve())},
            "host": {"store": str(Path(scratch) / "host.sqlite")},
        }
    )


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[PhotoFile], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda photo: bar.update(task, advance=1, description=photo.path.name[:24])


def _table(found: Measurement, plan: Plan) -> Table:
    from rich.table import Table

    in_cloud = found.in_cloud
    one = f"one photo of {in_cloud.images} is {1 / in_cloud.images:.2%}"
    labelled = "" if in_cloud.top1 is None else f"; top-1 over the {in_cloud.labelled} whose class is known"
    table = Table(title=f"{plan.variant}, preprocessed on the device", caption=one + labelled)
    for head in ("side", "quality", "mean sent", "of the original", "same class", "top-1", "lost"):
        table.add_column(head, justify="right")
    sent = f"{in_cloud.bytes_mean / 1e3:.1f} kB"
    table.add_row("in cloud", "", sent, "100%", "", _percent(in_cloud.top1), "", style="bold", end_section=True)
    for row, after in zip(found.rows, [*found.rows[1:], None], strict=True):
        lost = None if row.top1 is None or row.top1_in_cloud is None else row.top1_in_cloud - row.top1
        table.add_row(
            f"{row.side_px} px",
            str(row.quality),
            f"{row.bytes_mean / 1e3:.1f} kB",
            f"{row.bytes_mean / in_cloud.bytes_mean:.1%}",
            _percent(row.agreement),
            _percent(row.top1),
            _percent(lost),
            end_section=after is not None and after.side_px != row.side_px,
        )
    return table


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


def _tables(found: Measurement, plan: Plan) -> dict[str, Any]:
    return {
        "variant": plan.variant,
        "variant_side_px": plan.preprocessing.side_px,
        "in_cloud": asdict(found.in_cloud),
        "rows": [asdict(row) for row in found.rows],
        "skipped": list(found.skipped),
    }


def _draw(path: Path, found: Measurement, plan: Plan) -> None:
    from midspan.workbench.placement.accuracy_picture import draw

    png = draw(found, f"{plan.variant}, preprocessed on the device")
    try:
        path.write_bytes(png)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
