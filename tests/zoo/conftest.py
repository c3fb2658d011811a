"""A small classifier, made on the spot."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 8


def classifier(*, side=SIDE_PX, classes=4, batch="batch", kind=TensorProto.FLOAT, layout="NCHW", flat=None, channels=6):
    """Convolution, ReLU, mean, fully connected. `flat` replaces the flatten by a reshape to that constant."""
    rng = np.random.default_rng(classes)
    shape = (batch, 3, side, side) if layout == "NCHW" else (batch, side, side, 3)
    weights = {
        "kernel": rng.standard_normal((channels, 3, 3, 3)).astype(np.float32),
        "matrix": rng.standard_normal((channels, classes)).astype(np.float32),
        "sizes": np.array(flat or [0, channels], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Reshape", ["means", "sizes"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("scores", kind, (batch, classes))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def make_classifier():
    return classifier


@pytest.fixture
def save_classifier(tmp_path):
    """Writes a classifier to a file and gives its path."""

    def save(name="model.onnx", **changes):
        path = tmp_path / name
        onnx.save(classifier(**changes), path)
        return path

    return save
