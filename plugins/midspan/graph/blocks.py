"""Where a graph can be cut: every place that exactly one tensor crosses."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import onnx

from midspan.bundle import Block
from midspan.errors import BundleError
from midspan.graph.tensors import TensorType, node_inputs, sole_input, sole_output, tensor_types

__all__ = ["find_blocks"]

# Two batch sizes tell which dimension is the batch, even where shapes are computed.
TRIAL_BATCHES = (2, 3)
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def find_blocks(model: onnx.ModelProto) -> tuple[Block, ...]:
    """The blocks of a graph with one input and one output, in topological order; the last one ends at the output.

    A cut needs a float32 tensor whose first dimension is the batch and whose other sizes are known. Weights, and what
    is computed from weights alone, do not count as crossing: either side can have its own. A weight that several
    blocks use counts for the first. Raises BundleError where the output itself does not fit.
    """
    output = sole_output(model).name
    types = [tensor_types(model, batch) for batch in TRIAL_BATCHES]
    blocks: list[Block] = []
    start = 0
    sizes_bytes = _weight_sizes_bytes(model.graph)
    for position, tensor in _single_crossings(model):
        shape = _per_sample(*(known.get(tensor) for known in types))
        if shape is None:
            continue
        used = {name for node in model.graph.node[start : position + 1] for name in node_inputs(node)}
        weight_bytes = sum(sizes_bytes.pop(name, 0) for name in used)  # popped: counts once
        blocks.append(Block(f"block{len(blocks) + 1}", tensor, shape, weight_bytes))
        start = position + 1
    if not blocks or blocks[-1].tensor != output:
        raise BundleError(f"the output {output!r} needs float32 and known sizes after a batch like the input's")
    return tuple(blocks)


def _single_crossings(model: onnx.ModelProto) -> list[tuple[int, str]]:
    """Pairs (node index, tensor): after that node, only that tensor is made already and needed still."""
    entry = sole_input(model).name
    spans = _spans(model)
    names = list(spans)
    # Tensors that cross a place, and the sum of their numbers, by difference arrays: with one, the sum names it.
    changes = [[0, 0] for _ in range(len(model.graph.node) + 1)]
    for number, (made, last_use) in enumerate(spans.values()):
        for place, sign in ((made, 1), (last_use, -1)):
            changes[place][0] += sign
            changes[place][1] += sign * number
    counts = accumulate(count for count, _ in changes)
    sums = accumulate(total for _, total in changes)
    crossings: dict[str, int] = {}
    for index, (count, total) in enumerate(zip(counts, sums, strict=True)):
        if count == 1 and names[total] != entry:
            crossings.setdefault(names[total], index)
    return [(index, name) for name, index in crossings.items()]


def _spans(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """For each tensor that the input or chance has touched: the nodes that make it and that need it last."""
    nodes = model.graph.node
    spans = {sole_input(model).name: (0, 0)}
    for index, node in enumerate(nodes):
        touched = [name for name in node_inputs(node) if name in spans]
        for name in touched:
            spans[name] = (spans[name][0], index)
        if touched or node.op_type in RANDOM:
            spans.update({name: (index, index) for name in node.output if name})
    output = sole_output(model).name
    if output in spans:
        spans[output] = (spans[output][0], len(nodes))
    return spans


def _per_sample(two: TensorType | None, three: TensorType | None) -> tuple[int, ...] | None:
    """The shape without the batch, or None where the tensor cannot be cut at (see `find_blocks`)."""
    if two is None or three is None or two.kind != onnx.TensorProto.FLOAT:
        return None
    if two.shape[:1] + three.shape[:1] != TRIAL_BATCHES or two.shape[1:] != three.shape[1:]:
        return None
    return two.shape[1:]


def _weight_sizes_bytes(graph: onnx.GraphProto) -> dict[str, int]:
    return {
        tensor.name: prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for tensor in graph.initializer
    }
