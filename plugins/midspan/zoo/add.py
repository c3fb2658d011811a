"""Adding anybody's ONNX classifier to a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from midspan import bundle
from midspan.bundle import Accuracy, Family, Preprocessing
from midspan.errors import BundleError
from midspan.graph.batch import make_batch_dynamic
from midspan.graph.check import read_graph
from midspan.graph.tensors import sole_input
from midspan.zoo.probe import draw_probe, run_graph
from midspan.zoo.variant import describe, write_graph

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["adapt_graph", "add_model", "input_side_px"]

TRIAL_IMAGES = 3
# Blocked convolutions add up in another order for another batch size.
MAX_BATCH_DIFFERENCE = 1e-4


def add_model(
    model: str | Path,
    directory: str | Path,
    *,
    name: str,
    preprocessing: Preprocessing,
    labels: Sequence[str] = (),
    accuracy: Accuracy | None = None,
) -> Family:
    """Add a classifier to the bundle at `directory` under `name`, and make the bundle if there is none.

    The graph needs one float32 input (batch, 3, side_px, side_px) and one float32 output (batch, classes). A new
    bundle needs `labels`, one per class; an old one keeps its own. Returns the new family. Raises BundleError, and
    leaves the bundle as it was.
    """
    directory = Path(directory)
    bundle.check_preprocessing(preprocessing, f"variant {name[:100]!r}")
    family = _family(directory, tuple(labels), name)
    if any(variant.name == name for variant in family.variants):
        raise BundleError(f"bundle {directory} has a variant {name!r} already; choose another name")
    try:
        graph = adapt_graph(read_graph(model), preprocessing.side_px)
        variant = describe(name, graph, preprocessing, family.probe, accuracy)
        bundle.check_variant(variant, len(family.labels))
    except BundleError as error:
        raise BundleError(f"{Path(model).name}: {error}") from error
    directory.mkdir(parents=True, exist_ok=True)
    write_graph(variant, graph, directory)
    variants = sorted((*family.variants, variant), key=lambda entry: entry.macs)
    bundle.save(replace(family, variants=tuple(variants)), directory)
    return bundle.load(directory)


def input_side_px(graph: onnx.ModelProto) -> int | None:
    """The side of the pictures that a graph asks for; None where it takes any.

    Raises BundleError unless the input is float32 in the order NCHW.
    """
    entry = sole_input(graph)
    tensor = entry.type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(sizes) != 4 or sizes[1] != 3 or sizes[2] != sizes[3]:
        raise BundleError(f"input {entry.name!r} must be FLOAT [batch, 3, side, side], got {kind} {sizes}")
    return sizes[2]


def adapt_graph(graph: onnx.ModelProto, side_px: int) -> onnx.ModelProto:
    """The graph cleaned, for pictures of `side_px`, with a batch dimension that really is one.

    A batch size that the graph fixes is made dynamic; then several pictures at once must give what each gives alone.
    Raises BundleError.
    """
    stated = input_side_px(graph)
    if stated not in (None, side_px):
        raise BundleError(f"the input takes pictures of {stated} x {stated} pixels, not {side_px} x {side_px}")
    sized = onnx.ModelProto()
    sized.CopyFrom(graph)
    for dim in sole_input(sized).type.tensor_type.shape.dim[2:]:
        dim.dim_value = side_px
    adapted = make_batch_dynamic(sized)
    _check_batch(adapted, side_px)
    return adapted


def _check_batch(graph: onnx.ModelProto, side_px: int) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (TRIAL_IMAGES, 3, side_px, side_px)).astype(np.float32)
    try:
        alone = np.concatenate([run_graph(graph, image[None]) for image in images])
        together = run_graph(graph, images)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise BundleError(
            f"the graph does not run for 1 and {TRIAL_IMAGES} pictures; export it with a dynamic batch ({error})"
        ) from error
    if together.shape != alone.shape or not _close(together, alone):
        raise BundleError("the scores of a picture depend on the others in its batch; export it with a dynamic batch")


def _close(left: FloatTensor, right: FloatTensor) -> bool:
    limit = MAX_BATCH_DIFFERENCE * max(1.0, float(np.abs(right).max()))
    return bool(np.abs(left - right).max() <= limit)


def _family(directory: Path, labels: tuple[str, ...], name: str) -> Family:
    """The family that is there, or an empty one."""
    if (directory / "bundle.json").exists():
        family = bundle.load(directory)
        if labels and labels != family.labels:
            raise BundleError(f"bundle {directory} has other labels; a family shares one list of labels")
        return family
    if directory.exists() and any(directory.iterdir()):
        raise BundleError(f"{directory} is there and is no bundle; it is not overwritten")
    if not labels:
        raise BundleError(f"there is no bundle at {directory}; to make one, give its labels")
    return Family(directory.name, name, labels, (), draw_probe())
