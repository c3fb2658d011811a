import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from midspan.errors import BundleError
from midspan.graph import check
from midspan.graph.check import check_standard, read_graph


def relu(tiny):
    return tiny([helper.make_node("Relu", ["input"], ["scores"])], {"w": np.ones((2,), np.float32)}, "scores")


def refused(model, match):
    with pytest.raises(BundleError, match=match):
        check_standard(model)


def test_a_plain_graph_passes(tiny, tmp_path):
    path = tmp_path / "plain.onnx"
    onnx.save(relu(tiny), path)
    assert read_graph(path) == relu(tiny)


def test_custom_operators_are_refused(tiny):
    model = relu(tiny)
    model.graph.node[0].domain = "com.stranger"
    model.opset_import.append(helper.make_opsetid("com.stranger", 1))
    refused(model, r"custom operator com\.stranger\.Relu; only standard ones")


def test_custom_operators_inside_a_branch_are_refused(tiny):
    inner = helper.make_graph([helper.make_node("Odd", [], ["o"], domain="x")], "g", [], [])
    model = tiny([helper.make_node("If", ["input"], ["scores"], then_branch=inner, else_branch=inner)], {}, "scores")
    refused(model, r"custom operator x\.Odd")


def test_unknown_operators_of_the_standard_domain_are_refused(tiny):
    refused(tiny([helper.make_node("Teleport", ["input"], ["scores"])], {}, "scores"), "not valid ONNX.*Teleport")


def test_functions_are_refused(tiny):
    model = relu(tiny)
    model.functions.append(helper.make_function("f", "F", ["a"], ["b"], [], [helper.make_opsetid("", 17)]))
    refused(model, "model-local functions")


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_data_in_other_files_is_refused_and_not_read(tiny, where):
    model = relu(tiny)
    tensor = model.graph.initializer[0]
    if where == "constant":
        constant = model.graph.node.add(op_type="Constant", output=["k"])
        constant.attribute.append(helper.make_attribute("value", tensor))
        tensor = constant.attribute[0].t
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    refused(model, "keeps 'w' in another file")


def test_sparse_weights_are_refused(tiny):
    model = relu(tiny)
    model.graph.sparse_initializer.add()
    refused(model, "sparse weights")


def test_graphs_nested_too_deep_are_refused(tiny):
    model = relu(tiny)
    graph = model.graph
    for _ in range(check.MAX_NESTING + 1):
        attribute = graph.node.add(op_type="If").attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
        attribute.g.name = "g"
        graph = attribute.g
    refused(model, "nests graphs more than 16 deep")


def test_too_many_nodes_are_refused(tiny, monkeypatch):
    monkeypatch.setattr(check, "MAX_NODES", 3)
    nodes = [helper.make_node("Relu", ["input"], [f"t{index}"]) for index in range(4)]
    refused(tiny(nodes, {}, "t3"), "more than 3 nodes")


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(check.MAX_GRAPH_BYTES + 1)  # sparse: takes no space
    with pytest.raises(BundleError, match=r"huge\.onnx has 1073741825 bytes; at most 1073741824 are allowed"):
        read_graph(path)


@pytest.mark.parametrize("contents", [b"", b"\x00" * 100, b"not onnx", b"\xff" * 1000])
def test_what_is_no_onnx_file_is_refused(tmp_path, contents):
    path = tmp_path / "junk.onnx"
    path.write_bytes(contents)
    with pytest.raises(BundleError, match=r"junk\.onnx"):
        read_graph(path)


def test_a_truncated_file_is_refused(tiny, tmp_path):
    path = tmp_path / "cut.onnx"
    whole = relu(tiny).SerializeToString()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError, match=r"cut\.onnx"):
            read_graph(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(BundleError, match=r"cannot read .*none\.onnx: No such file"):
        read_graph(tmp_path / "none.onnx")
