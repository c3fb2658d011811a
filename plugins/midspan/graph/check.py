"""Reading an ONNX file from a stranger: bounded, self-contained, standard operators only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

from midspan.errors import BundleError

__all__ = ["MAX_GRAPH_BYTES", "MAX_NODES", "check_standard", "read_graph"]

MAX_GRAPH_BYTES = 2**30
MAX_NODES = 50_000
MAX_NESTING = 16


def read_graph(path: str | Path) -> onnx.ModelProto:
    """Read and check an ONNX file. No other file is opened, whatever the graph says. Raises BundleError."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_GRAPH_BYTES:
            raise BundleError(f"{path.name} has {size} bytes; at most {MAX_GRAPH_BYTES} are allowed")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise BundleError(f"{path.name} is not an ONNX file: {error}") from error
    try:
        check_standard(model)
    except BundleError as error:
        raise BundleError(f"{path.name}: {error}") from error
    return model


def check_standard(model: onnx.ModelProto) -> None:
    """Refuse what a plain onnxruntime could not run alone: custom operators, functions, external data, undue size.

    Raises BundleError, which names what it found.
    """
    if model.functions or model.training_info:
        raise BundleError("has model-local functions or training data; only plain graphs are allowed")
    nodes = 0
    for graph in _graphs(model.graph, 0):
        nodes += len(graph.node)
        if nodes > MAX_NODES:
            raise BundleError(f"has more than {MAX_NODES} nodes, the most that are allowed")
        if graph.sparse_initializer:
            raise BundleError("has sparse weights; only dense ones are allowed")
        for node in graph.node:
            if node.domain not in ("", "ai.onnx"):
                raise BundleError(
                    f"uses the custom operator {node.domain}.{node.op_type}; only standard ones are allowed"
                )
        for tensor in _tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                raise BundleError(f"keeps {tensor.name!r} in another file; all data must lie in the graph's own")
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise BundleError(f"is not valid ONNX: {str(error).strip()}") from error


def _graphs(graph: onnx.GraphProto, depth: int) -> Iterator[onnx.GraphProto]:
    """The graph and those inside its loops and branches."""
    if depth > MAX_NESTING:
        raise BundleError(f"nests graphs more than {MAX_NESTING} deep")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ())):
                yield from _graphs(inner, depth + 1)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
