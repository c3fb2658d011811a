import numpy as np
import pytest
from onnx import helper

from midspan.errors import BundleError
from midspan.graph.macs import count_macs


def ones(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("node", "weight", "output_shape", "macs"),
    [
        # every output value of a convolution sums kernel x input channels of its group
        (("Conv", {"pads": [1, 1, 1, 1]}), ones(8, 3, 3, 3), (8, 4, 4), 8 * 4 * 4 * 3 * 9),
        (("Conv", {"group": 3}), ones(3, 1, 1, 1), (3, 4, 4), 3 * 4 * 4),
        (("Conv", {"strides": [2, 2]}), ones(5, 3, 2, 2), (5, 2, 2), 5 * 2 * 2 * 3 * 4),
        # every input value of a transposed one is spread over kernel x output channels
        (("ConvTranspose", {"strides": [2, 2]}), ones(3, 5, 2, 2), (5, 8, 8), 3 * 4 * 4 * 5 * 4),
        (("MatMul", {}), ones(4, 7), (3, 4, 7), 3 * 4 * 7 * 4),
        (("Relu", {}), None, (3, 4, 4), 0),
    ],
)
def test_one_operator(tiny, node, weight, output_shape, macs):
    operator, attributes = node
    weights = {} if weight is None else {"w": weight}
    model = tiny([helper.make_node(operator, ["input", *weights], ["out"], **attributes)], weights, "out")
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    for size in ("batch", *output_shape):
        dim = model.graph.output[0].type.tensor_type.shape.dim.add()
        setattr(dim, "dim_param" if isinstance(size, str) else "dim_value", size)
    assert count_macs(model) == macs


@pytest.mark.parametrize(("transposed", "weight"), [(0, ones(48, 10)), (1, ones(10, 48))])
def test_a_fully_connected_layer(tiny, transposed, weight):
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["scores"], transB=transposed),
    ]
    assert count_macs(tiny(nodes, {"w": weight}, "scores", output_shape=(10,))) == 480


def test_a_shape_that_cannot_be_told_is_an_error_not_a_zero(tiny):
    nodes = [
        helper.make_node("NonZero", ["input"], ["where"]),
        helper.make_node("Cast", ["where"], ["rows"], to=1),
        helper.make_node("MatMul", ["rows", "w"], ["scores"]),
    ]
    with pytest.raises(BundleError, match=r"cannot tell the shape of 'rows', at a MatMul"):
        count_macs(tiny(nodes, {"w": ones(9, 2)}, "scores"))
