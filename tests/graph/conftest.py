"""Small graphs, made on the spot."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIDE_PX = 3, 4


def make_model(nodes, weights, output, *, shape=(CHANNELS, SIDE_PX, SIDE_PX), output_shape=None, opset=17):
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ("batch", *shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ("batch", *(output_shape or shape)))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture(scope="session")
def tiny():
    return make_model


@pytest.fixture(scope="session")
def evaluate():
    """Runs a graph with no optimisation of its own."""

    def run(model, tensor):
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: tensor})[0]

    return run


@pytest.fixture(scope="session")
def images():
    def draw(batch=2, shape=(CHANNELS, SIDE_PX, SIDE_PX)):
        return np.random.default_rng(7).uniform(-1, 1, (batch, *shape)).astype(np.float32)

    return draw
