"""Giving a graph a dynamic batch."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from midspan.errors import BundleError
from midspan.graph.clean import clean_graph
from midspan.graph.tensors import node_inputs, sole_input, sole_output, tensor_types

__all__ = ["BATCH", "make_batch_dynamic"]

BATCH = "batch"


def make_batch_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph cleaned, with a dynamic first dimension of its one input and one output.

    Where the file fixed the batch, reshapes that hold it are told to keep their input's first size instead. Another
    operator may still hold it, so the caller must try the result. Raises BundleError.
    """
    dynamic = onnx.ModelProto()
    dynamic.CopyFrom(model)
    # What the file states about the tensors between holds for the old batch.
    del dynamic.graph.value_info[:]
    for entry in (sole_output(dynamic), sole_input(dynamic)):
        if not entry.type.tensor_type.shape.dim:
            raise BundleError(f"{entry.name!r} states no shape; its rank must be known")
        first = entry.type.tensor_type.shape.dim[0]
        stated = first.dim_value if first.HasField("dim_value") else None
        first.dim_param = BATCH
    cleaned = clean_graph(dynamic)
    if stated is not None:
        _free_reshapes(cleaned, stated)
    return cleaned


def _free_reshapes(model: onnx.ModelProto, batch: int) -> None:
    """In reshapes from (batch, …) to (batch, …), replace the constant by 0: the size that comes in. In place."""
    graph = model.graph
    types = tensor_types(model, batch)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] not in weights or node.attribute:  # allowzero changes what 0 is
            continue
        sizes = numpy_helper.to_array(weights[node.input[1]]).copy()
        entering = types.get(node.input[0])
        if entering is not None and entering.shape[:1] == (batch,) and list(sizes[:1]) == [batch]:
            sizes[0] = 0
            # A new one for each: others may use the old one.
            graph.initializer.append(numpy_helper.from_array(sizes, f"{node.output[0]}/shape"))
            node.input[1] = graph.initializer[-1].name
    used = {name for node in graph.node for name in node_inputs(node)}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
