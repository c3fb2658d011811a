"""Cleaning an exported graph, so that one tensor crosses wherever one tensor crosses in the network's drawing.

Exporters compute constant shapes and paddings at run time; each such little graph ties far places together. The work is
onnxruntime's own: its basic optimisations keep to standard operators and to the same arithmetic.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime

from midspan.errors import BundleError
from midspan.graph.check import check_standard
from midspan.graph.tensors import data_inputs

__all__ = ["clean_graph"]

FIRST_IR_WITH_PLAIN_WEIGHTS = 4


def clean_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, fuse normalisation into convolutions, drop dead nodes. Same opset, inputs, outputs and results.

    Raises BundleError where onnxruntime cannot load the graph.
    """
    model = _without_weight_inputs(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "clean.onnx")
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise BundleError(f"onnxruntime cannot load the graph: {error}") from error
        cleaned = onnx.load_model(path, load_external_data=False)
    # onnxruntime lists every domain that it knows; a reader without them would refuse the graph.
    used = {node.domain for node in cleaned.graph.node}
    for entry in list(cleaned.opset_import):
        if entry.domain not in used:
            cleaned.opset_import.remove(entry)
    check_standard(cleaned)
    return cleaned


def _without_weight_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights that are inputs too could be replaced by a caller, so that nothing about them may be folded."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    inputs = data_inputs(plain.graph)
    if len(inputs) != len(plain.graph.input):
        del plain.graph.input[:]
        plain.graph.input.extend(inputs)
        plain.ir_version = max(plain.ir_version, FIRST_IR_WITH_PLAIN_WEIGHTS)
    return plain
