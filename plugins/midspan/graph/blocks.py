"""Where a graph can be cut: every place that exactly one tensor crosses."""

from __future__ import annotations

from itertools import accumulate

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
    counted: set[str] = set()
    for position, tensor in _single_crossings(model):
        shape = _per_sample(*(known.get(tensor) for known in types))
        if shape is None:
            continue
        weight_bytes = _new_weight_bytes(model.graph, start, position + 1, counted)
        blocks.append(Block(f"block{len(blocks) + 1}", tensor, shape, weight_bytes))
        start = position + 1
    if not blocks or blocks[-1].tensor != output:
        raise BundleError(f"the output {output!r} needs float32 and known sizes after a batch like the input's")
    return tuple(blocks)


def _single_crossings(model: onnx.ModelProto) -> list[tuple[int, str]]:
    """Pairs (node index, tensor): after that node, only that tensor is made already and needed still."""
    graph = model.graph
    entry, output = sole_input(model).name, sole_output(model).name
    made: dict[str, int] = {entry: -1}
    last_use: dict[str, int] = {entry: -1}
    for index, node in enumerate(graph.node):
        needed = [name for name in node_inputs(node) if name in made]
        for name in needed:
            last_use[name] = index
        if needed or node.op_type in RANDOM:
            for name in filter(None, node.output):
                made[name] = last_use[name] = index
    last_use[output] = len(graph.node)
    # Tensors that cross a place, and the sum of their numbers, by difference arrays: with one, the sum names it.
    names = list(made)
    changes = [[0, 0] for _ in range(len(graph.node) + 1)]
    for number, name in enumerate(names):
        if last_use[name] == made[name]:
            continue
        for place, sign in ((max(made[name], 0), 1), (last_use[name], -1)):
            changes[place][0] += sign
            changes[place][1] += sign * number
    counts = accumulate(count for count, _ in changes)
    sums = accumulate(total for _, total in changes)
    crossings: dict[str, int] = {}
    for index, (count, total) in enumerate(zip(counts, sums, strict=True)):
        if count == 1 and index < len(graph.node) and names[total] != entry:
            crossings.setdefault(names[total], index)
    return [(index, name) for name, index in crossings.items()]


def _per_sample(two: TensorType | None, three: TensorType | None) -> tuple[int, ...] | None:
    """The shape without the batch, or None where the tensor cannot be cut at (see `find_blocks`)."""
    if two is None or three is None or two.kind != onnx.TensorProto.FLOAT:
        return None
    if (two.shape[:1], three.shape[:1]) != tuple((batch,) for batch in TRIAL_BATCHES) or two.shape[1:] != three.shape[
        1:
    ]:
        return None
    return two.shape[1:]


def _new_weight_bytes(graph: onnx.GraphProto, start: int, stop: int, counted: set[str]) -> int:
    """Bytes of the weights that nodes [start, stop) use and that are not in `counted`; adds them to it."""
    used = {name for node in graph.node[start:stop] for name in node_inputs(node)} - counted
    counted |= used
    return sum(_byte_size(tensor) for tensor in graph.initializer if tensor.name in used)


def _byte_size(tensor: onnx.TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return int(count * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
