"""`midspan zoo`: make a bundle, add a model to one, show what is in one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from midspan import bundle
from midspan.bundle import INTERPOLATIONS, Accuracy, Preprocessing, Variant
from midspan.errors import BundleError

DEFAULT_OUTPUT = "bundles/efficientnet-lite"
STEPS_PER_VARIANT = 3
MAX_LABELS_BYTES = 2**24


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its three verbs."""
    verbs = commands.add_parser("zoo", help="make a bundle of models, add to it, show it").add_subparsers(
        metavar="VERB", required=True
    )
    build = verbs.add_parser("build", help="make the bundle of pretrained EfficientNet-Lite models")
    build.add_argument("--output", metavar="DIR", default=DEFAULT_OUTPUT, help="default: %(default)s")
    build.add_argument("--variants", metavar="NAMES", help="fastest first, with commas between; default: all three")
    build.add_argument("--force", action="store_true", help="make it anew even if it is there")
    build.set_defaults(run=run_build)
    _register_add(verbs.add_parser("add", help="add an ONNX classifier to a bundle"))
    show = verbs.add_parser("show", help="list the variants of a bundle and check its files")
    show.add_argument("directory", metavar="DIR")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(run=run_show)


def _register_add(add: argparse.ArgumentParser) -> None:
    add.add_argument("model", metavar="MODEL.onnx")
    add.add_argument("--bundle", metavar="DIR", required=True, help="made if it is not there")
    add.add_argument("--name", required=True, help="the new variant's")
    add.add_argument("--side-px", type=int, required=True, help="side of the square that enters the graph")
    add.add_argument("--resize-px", type=int, required=True, help="the shorter side before the middle is cut out")
    add.add_argument("--mean", type=float, nargs=3, required=True, metavar=("R", "G", "B"), help="in 0..255")
    add.add_argument("--std", type=float, nargs=3, required=True, metavar=("R", "G", "B"), help="in 0..255")
    add.add_argument("--interpolation", choices=INTERPOLATIONS, default="bicubic", help="default: %(default)s")
    add.add_argument("--labels", metavar="FILE", help="one label a line; needed for a new bundle")
    add.add_argument("--top1", type=float, metavar="FRACTION", help="accuracy, needs --dataset")
    add.add_argument("--dataset", help="what --top1 was measured on")
    add.set_defaults(run=run_add)


def run_build(args: argparse.Namespace) -> int:
    """Make the EfficientNet-Lite bundle, or find it whole."""
    from midspan.zoo.build import DEFAULT_VARIANTS, build_bundle

    names = [name.strip() for name in args.variants.split(",")] if args.variants else DEFAULT_VARIANTS
    with _progress(STEPS_PER_VARIANT * len(names)) as report:
        family = build_bundle(args.output, names, force=args.force, report=report)
    print(f"{args.output}: {', '.join(variant.name for variant in family.variants)}")
    return 0


def run_add(args: argparse.Namespace) -> int:
    """Add one classifier."""
    from midspan.zoo.add import add_model

    if (args.top1 is None) != (args.dataset is None):
        raise BundleError("--top1 and --dataset go together")
    accuracy = None if args.top1 is None else Accuracy(args.top1, args.dataset, "stated when the model was added")
    family = add_model(
        args.model,
        args.bundle,
        name=args.name,
        preprocessing=Preprocessing(
            args.side_px, args.resize_px, tuple(args.mean), tuple(args.std), args.interpolation
        ),
        labels=_read_labels(Path(args.labels)) if args.labels else (),
        accuracy=accuracy,
    )
    added = family.variant(args.name)
    size = f"{added.classes} classes, {added.cuts} blocks, {added.macs / 1e6:.0f} M multiply-adds"
    print(f"{args.bundle}: added {added.name}, {size}")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """List the variants; a damaged file is an error."""
    family = bundle.load(args.directory, verify=True)
    rows = [_row(variant) for variant in family.variants]
    if args.json:
        print(json.dumps({"family": family.name, "default": family.default, "variants": rows}))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{family.name}: {len(family.labels)} classes")
    for heading in ("variant", "side", "blocks", "M MACs", "MB", "top-1", "dataset"):
        table.add_column(heading, justify="left" if heading in ("variant", "dataset") else "right")
    for row in rows:
        table.add_row(
            row["name"] + (" (default)" if row["name"] == family.default else ""),
            f"{row['side_px']} px",
            str(row["blocks"]),
            f"{row['macs'] / 1e6:.0f}",
            f"{row['graph_bytes'] / 1e6:.1f}",
            f"{row['accuracy']['top1']:.1%}" if row["accuracy"] else "unknown",
            row["accuracy"]["dataset"] if row["accuracy"] else "",
        )
    Console().print(table)
    return 0


def _row(variant: Variant) -> dict[str, Any]:
    accuracy = variant.accuracy
    return {
        "name": variant.name,
        "side_px": variant.preprocessing.side_px,
        "resize_px": variant.preprocessing.resize_px,
        "classes": variant.classes,
        "blocks": variant.cuts,
        "macs": variant.macs,
        "graph_bytes": variant.graph_bytes,
        "accuracy": accuracy and {"top1": accuracy.top1, "dataset": accuracy.dataset, "source": accuracy.source},
    }


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        size = path.stat().st_size
        if size > MAX_LABELS_BYTES:
            raise BundleError(f"{path} has {size} bytes; at most {MAX_LABELS_BYTES} are allowed")
        return tuple(path.read_text("utf-8").splitlines())
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is not UTF-8 text: {error}") from error


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A bar where rich is installed, else a line a step."""
    try:
        from rich.progress import Progress
    except ModuleNotFoundError:
        yield lambda step: print(step, file=sys.stderr)
        return
    with Progress(transient=True) as bar:
        task = bar.add_task("", total=steps)
        yield lambda step: bar.update(task, description=step, advance=1)
