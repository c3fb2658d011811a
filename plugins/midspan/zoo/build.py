"""Making the bundle of EfficientNet-Lite."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from midspan import bundle
from midspan.bundle import Family, Variant
from midspan.errors import BundleError
from midspan.graph.clean import clean_graph
from midspan.zoo.probe import draw_probe, run_graph
from midspan.zoo.variant import describe, write_graph

if TYPE_CHECKING:
    import onnx
    import torch

__all__ = ["DEFAULT_VARIANTS", "MAX_SCORE_DIFFERENCE", "build_bundle", "imagenet_labels"]

DEFAULT_VARIANTS = ("lite0", "lite1", "lite2")
FAMILY_NAME = "efficientnet-lite"
MAX_SCORE_DIFFERENCE = 1e-4
CHECKED_IMAGES = 2


def build_bundle(
    output: str | Path,
    names: Sequence[str] = DEFAULT_VARIANTS,
    *,
    force: bool = False,
    report: Callable[[str], None] = lambda step: None,
) -> Family:
    """Make the bundle at `output` with the variants `names`, fastest first; the first is the default.

    A whole bundle that is there already and has them is left as it is, unless `force`. Nobody ever sees half a bundle:
    it is made beside `output` and moved there. `report` is told each step. Raises BundleError.
    """
    output = Path(output)
    if not names or len(set(names)) != len(names):
        raise BundleError(f"needs one variant or more, all different, got {list(names)}")
    if not force and output.exists():
        return _existing(output, names)
    if output.exists() and not (output / "bundle.json").is_file():
        raise BundleError(f"{output} is there and is no bundle; it is not overwritten")
    with _replacing(output) as directory:
        probe = draw_probe()
        labels = imagenet_labels()
        variants = tuple(_make(name, directory, probe, report) for name in names)
        bundle.save(Family(FAMILY_NAME, names[0], labels, variants, probe), directory)
    return bundle.load(output)


def imagenet_labels() -> tuple[str, ...]:
    """The 1000 classes of ImageNet in the order of the scores."""
    return tuple(files("midspan.zoo").joinpath("imagenet_labels.txt").read_text("utf-8").splitlines())


def _existing(output: Path, names: Sequence[str]) -> Family:
    try:
        family = bundle.load(output, verify=True)
    except BundleError as error:
        raise BundleError(f"{error}; --force makes it anew") from error
    missing = sorted(set(names) - {variant.name for variant in family.variants})
    if missing:
        raise BundleError(f"bundle {output} has no variant {', '.join(missing)}; --force makes it anew")
    return family


def _make(name: str, directory: Path, probe: bytes, report: Callable[[str], None]) -> Variant:
    from midspan.zoo.efficientnet_lite import RECIPES, export, load_pretrained

    if name not in RECIPES:
        raise BundleError(f"there is no recipe for {name!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    report(f"{name}: export")
    model = load_pretrained(recipe)
    graph = clean_graph(export(model, recipe.side_px))
    report(f"{name}: compare with torch")
    _check_against_torch(graph, model, recipe.side_px)
    report(f"{name}: cut")
    variant = describe(name, graph, recipe.preprocessing, probe, recipe.accuracy)
    write_graph(variant, graph, directory)
    return variant


def _check_against_torch(graph: onnx.ModelProto, model: torch.nn.Module, side_px: int) -> None:
    """Raises BundleError where the graph's scores differ from the torch model's by more than 1e-4."""
    import torch

    images = np.random.default_rng(0).uniform(-1, 1, (CHECKED_IMAGES, 3, side_px, side_px)).astype(np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)).numpy()
    difference = float(np.abs(run_graph(graph, images) - expected).max())
    if not difference <= MAX_SCORE_DIFFERENCE:
        raise BundleError(f"scores differ from torch by {difference:.2g}; at most {MAX_SCORE_DIFFERENCE} is allowed")


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A new directory beside `output` that takes its place when the block ends well, and is removed when it fails."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as parent:
        fresh, old = Path(parent, "fresh"), Path(parent, "old")
        fresh.mkdir()
        yield fresh
        if output.exists():
            output.rename(old)
        fresh.rename(output)
