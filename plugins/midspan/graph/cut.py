"""Cutting a graph between two of its cuts."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from midspan.bundle import Block
from midspan.errors import BundleError
from midspan.graph.batch import BATCH
from midspan.graph.tensors import node_inputs, sole_input, sole_output

__all__ = ["cut_graph"]


def cut_graph(model: onnx.ModelProto, blocks: Sequence[Block], start: int, stop: int) -> onnx.ModelProto:
    """The graph from cut `start` to cut `stop`, with its own input and output and only the weights that it needs.

    `blocks` are the graph's own; cut 0 is its input, cut `len(blocks)` its output. The ends keep their tensors' names,
    float32, with a dynamic batch. Raises BundleError for cuts that are not there or not in order.
    """
    if not 0 <= start < stop <= len(blocks):
        raise BundleError(f"needs 0 <= start < stop <= {len(blocks)}, got start {start} and stop {stop}")
    entry = sole_input(model) if start == 0 else _end(blocks[start - 1])
    exit_ = sole_output(model) if stop == len(blocks) else _end(blocks[stop - 1])
    needed = {exit_.name}
    nodes: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if entry.name not in node.output and not needed.isdisjoint(node.output):
            nodes.append(node)
            needed.update(node_inputs(node))
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    graph = helper.make_graph(nodes[::-1], f"{model.graph.name}_{start}_{stop}", [entry], [exit_], weights)
    part = onnx.ModelProto()
    part.ir_version = model.ir_version
    part.producer_name = model.producer_name
    part.opset_import.extend(model.opset_import)
    part.graph.CopyFrom(graph)
    return part


def _end(block: Block) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(block.tensor, onnx.TensorProto.FLOAT, (BATCH, *block.shape))
