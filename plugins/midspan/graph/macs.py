"""How much arithmetic a graph is."""

from __future__ import annotations

from math import prod

import onnx

from midspan.errors import BundleError
from midspan.graph.tensors import TensorType, tensor_types

__all__ = ["count_macs"]


def count_macs(model: onnx.ModelProto) -> int:
    """Multiply-adds of all convolutions and matrix products for one image; other operators count nothing.

    Raises BundleError where a shape that is needed cannot be told.
    """
    types = tensor_types(model, batch=1)
    return sum(_node_macs(node, types) for node in model.graph.node)


def _node_macs(node: onnx.NodeProto, types: dict[str, TensorType]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    try:
        left, right, out = (types[name].shape for name in (node.input[0], node.input[1], node.output[0]))
    except KeyError as error:
        raise BundleError(f"cannot tell the shape of {error.args[0]!r}, at a {node.op_type}") from error
    if node.op_type == "Conv":  # weights (out channels, in channels / groups, kernel …)
        return prod(out) * prod(right[1:])
    if node.op_type == "ConvTranspose":  # weights (in channels, out channels / groups, kernel …)
        return prod(left) * prod(right[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return prod(out) * left[0 if transposed else -1]
