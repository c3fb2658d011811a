"""What a graph's tensors are: who needs them, which enter and leave, and of what shape for a given batch size."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from midspan.errors import BundleError

__all__ = ["TensorType", "data_inputs", "node_inputs", "sole_input", "sole_output", "tensor_types"]


@dataclass(frozen=True, slots=True)
class TensorType:
    """`kind` is one of onnx.TensorProto's data types."""

    kind: int
    shape: tuple[int, ...]


def data_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that a caller must give; old graphs list their weights as inputs too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [entry for entry in graph.input if entry.name not in weights]


def node_inputs(node: onnx.NodeProto) -> list[str]:
    """What a node needs, with what the graphs inside it take from outside."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ())):
            for child in inner.node:
                names += node_inputs(child)
            names += [entry.name for entry in inner.output]
    return names


def sole_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The graph's one input. Raises BundleError where there is none or several."""
    return _sole(data_inputs(model.graph), "input")


def sole_output(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The graph's one output. Raises BundleError where there is none or several."""
    return _sole(list(model.graph.output), "output")


def tensor_types(model: onnx.ModelProto, batch: int) -> dict[str, TensorType]:
    """Types and shapes by tensor name, weights included, with `batch` as the inputs' first dimension.

    A tensor whose shape cannot be told is left out. Raises BundleError where the graph contradicts itself.
    """
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    # What the file states about other tensors may hold for another batch size only.
    del trial.graph.value_info[:]
    for entry in trial.graph.output:
        entry.type.tensor_type.ClearField("shape")
    for entry in data_inputs(trial.graph):
        if not entry.type.tensor_type.shape.dim:
            raise BundleError(f"{entry.name!r} states no shape; its rank must be known")
        entry.type.tensor_type.shape.dim[0].dim_value = batch
    try:
        inferred = onnx.shape_inference.infer_shapes(trial, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise BundleError(f"the graph's shapes do not fit together: {str(error).strip()}") from error
    types = {tensor.name: TensorType(tensor.data_type, tuple(tensor.dims)) for tensor in model.graph.initializer}
    for entry in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        tensor = entry.type.tensor_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            types[entry.name] = TensorType(tensor.elem_type, tuple(dim.dim_value for dim in tensor.shape.dim))
    return types


def _sole(entries: list[onnx.ValueInfoProto], what: str) -> onnx.ValueInfoProto:
    if len(entries) != 1:
        names = ", ".join(repr(entry.name) for entry in entries[:10]) or "none"
        raise BundleError(f"the graph needs exactly one {what}, got {len(entries)} ({names})")
    return entries[0]
