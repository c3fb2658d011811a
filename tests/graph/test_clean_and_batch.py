import numpy as np
import pytest
from onnx import TensorProto, helper

from midspan.errors import BundleError
from midspan.graph.batch import make_batch_dynamic
from midspan.graph.blocks import find_blocks
from midspan.graph.clean import clean_graph


def cluttered(tiny, **changes):
    """A flatten as an exporter writes it: the batch read from the shape, joined with a constant, while data waits."""
    nodes = [
        helper.make_node("Relu", ["input"], ["a"]),
        helper.make_node("Exp", ["log_scale"], ["scale"]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Identity", ["b"], ["same"]),
        helper.make_node("Reshape", ["same", "flat"], ["c"]),
        helper.make_node("Tanh", ["c"], ["scores"]),
        helper.make_node("Sigmoid", ["a"], ["nobody_needs_this"]),
    ]
    weights = {"log_scale": np.zeros((1, 3, 1, 1), np.float32), "flat": np.array([0, -1], np.int64)}
    model = tiny(nodes, weights, "scores", output_shape=(48,), **changes)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


def test_clutter_goes_and_all_else_stays(tiny, evaluate, images):
    model = cluttered(tiny)
    cleaned = clean_graph(model)
    assert [node.op_type for node in cleaned.graph.node].count("Exp") == 0
    assert len(cleaned.graph.node) < len(model.graph.node) - 1
    assert [(entry.domain, entry.version) for entry in cleaned.opset_import] == [("", 17)]
    assert cleaned.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    np.testing.assert_array_equal(evaluate(cleaned, images(3)), evaluate(model, images(3)))


def test_cleaning_twice_changes_nothing(tiny):
    once = clean_graph(cluttered(tiny))
    assert clean_graph(once).graph.node == once.graph.node


def test_weights_listed_as_inputs_are_weights(tiny):
    model = cluttered(tiny)
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("log_scale", TensorProto.FLOAT, (1, 3, 1, 1)))
    model.graph.input.append(helper.make_tensor_value_info("flat", TensorProto.INT64, (2,)))
    assert [entry.name for entry in clean_graph(model).graph.input] == ["input"]


def test_a_graph_that_onnxruntime_cannot_load_is_refused(tiny):
    model = tiny([helper.make_node("Relu", ["nowhere"], ["scores"])], {}, "scores")
    with pytest.raises(BundleError, match="onnxruntime cannot load the graph"):
        clean_graph(model)


def test_a_fixed_batch_becomes_dynamic_with_the_reshapes_that_hold_it(tiny, evaluate, images):
    nodes = [
        helper.make_node("Reshape", ["input", "pairs"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("Reshape", ["b", "flat"], ["c"]),
        helper.make_node("Relu", ["c"], ["scores"]),
    ]
    weights = {"pairs": np.array([1, 3, 2, 8], np.int64), "flat": np.array([1, -1], np.int64)}
    model = tiny(nodes, weights, "scores", output_shape=(48,))
    for entry in (model.graph.input[0], model.graph.output[0]):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    freed = make_batch_dynamic(model)
    alone = np.concatenate([evaluate(model, image[None]) for image in images(3)])
    np.testing.assert_array_equal(evaluate(freed, images(3)), alone)
    assert find_blocks(freed)[-1].shape == (48,)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1  # the caller's own stays


def test_an_input_without_a_shape_is_refused(tiny):
    model = tiny([helper.make_node("Relu", ["input"], ["scores"])], {}, "scores")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BundleError, match="'input' states no shape"):
        make_batch_dynamic(model)
