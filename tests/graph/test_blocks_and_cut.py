import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from midspan.errors import BundleError
from midspan.graph.blocks import find_blocks
from midspan.graph.cut import cut_graph

UNARY = ("Relu", "Sigmoid", "Tanh", "Neg")


@st.composite
def recipes(draw):
    """A random graph as (operator, the tensors it takes): chains, branches, joins, dead ends, constant corners."""
    steps = []
    for index in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(("unary", "conv", "add", "corner")))
        # Mostly the newest tensor, so that there are chains to cut between the branches.
        operands = [max(0, index - draw(st.sampled_from((0, 0, 0, 1, 2, 5)))) for _ in range(2)]
        steps.append((kind, draw(st.sampled_from(UNARY)), operands))
    return steps


def build(tiny, steps):
    rng = np.random.default_rng(len(steps))
    nodes, weights = [], {"shared": rng.standard_normal((1, 3, 1, 1)).astype(np.float32)}
    names = ["input"]
    for index, (kind, operator, operands) in enumerate(steps):
        left, right = (names[operand] for operand in operands)
        name = f"t{index}"
        if kind == "unary":
            nodes.append(helper.make_node(operator, [left], [name]))
        elif kind == "conv":
            weights[f"w{index}"] = rng.standard_normal((3, 3, 1, 1)).astype(np.float32)
            nodes.append(helper.make_node("Conv", [left, f"w{index}"], [name]))
        elif kind == "add":
            nodes.append(helper.make_node("Add", [left, right], [name]))
        else:  # a constant computed from a weight that several places use
            nodes.append(helper.make_node("Tanh", ["shared"], [f"c{index}"]))
            nodes.append(helper.make_node("Mul", [left, f"c{index}"], [name]))
        names.append(name)
    return tiny(nodes, weights, names[-1])


def crossing_by_hand(model):
    """For each place between nodes: the data tensors made at or before it and needed after it."""
    graph = model.graph
    output = graph.output[0].name
    data = {"input"}
    for node in graph.node:
        if data & set(node.input):
            data |= set(node.output)
    places = []
    for place in range(1, len(graph.node) + 1):
        made = {"input"} | {name for node in graph.node[:place] for name in node.output}
        needed = {output} | {name for node in graph.node[place:] for name in node.input}
        places.append(made & needed & data)
    return places


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=recipes())
def test_every_cut_of_a_random_graph_splits_it_in_two_that_make_the_whole(tiny, evaluate, images, steps):
    model = build(tiny, steps)
    blocks = find_blocks(model)
    whole = evaluate(model, images())
    alone = dict.fromkeys(name for place in crossing_by_hand(model) if len(place) == 1 for name in place)
    assert [block.tensor for block in blocks] == [name for name in alone if name != "input"]
    for cut in range(1, len(blocks)):
        prefix, suffix = cut_graph(model, blocks, 0, cut), cut_graph(model, blocks, cut, len(blocks))
        code = evaluate(prefix, images())
        assert code.shape[1:] == blocks[cut - 1].shape
        np.testing.assert_allclose(evaluate(suffix, code), whole, atol=1e-4)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=recipes())
def test_blocks_one_after_the_other_make_the_whole(tiny, evaluate, images, steps):
    model = build(tiny, steps)
    blocks = find_blocks(model)
    tensor = images(3)
    for cut in range(len(blocks)):
        tensor = evaluate(cut_graph(model, blocks, cut, cut + 1), tensor)
    np.testing.assert_allclose(tensor, evaluate(model, images(3)), atol=1e-4)


def test_weights_count_once_for_the_first_block_that_uses_them(tiny):
    weights = {"w": np.ones((3, 3, 1, 1), np.float32), "v": np.ones((1, 3, 1, 1), np.float32)}
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["a"]),
        helper.make_node("Conv", ["a", "w"], ["b"]),
        helper.make_node("Mul", ["b", "v"], ["scores"]),
    ]
    blocks = find_blocks(tiny(nodes, weights, "scores"))
    assert [block.weight_bytes for block in blocks] == [36, 0, 12]
    assert [block.name for block in blocks] == ["block1", "block2", "block3"]
    assert [block.shape for block in blocks] == [(3, 4, 4)] * 3


def test_a_part_carries_only_its_own_weights(tiny):
    weights = {f"w{index}": np.ones((3, 3, 1, 1), np.float32) for index in range(3)}
    nodes = [helper.make_node("Conv", [name, f"w{i}"], [f"t{i}"]) for i, name in enumerate(("input", "t0", "t1"))]
    model = tiny(nodes, weights, "t2")
    part = cut_graph(model, find_blocks(model), 1, 2)
    assert [tensor.name for tensor in part.graph.initializer] == ["w1"]
    assert part.graph.input[0].name == "t0"
    assert part.graph.output[0].name == "t1"
    assert part.opset_import[0].version == 17


def test_a_tensor_whose_first_size_is_not_the_batch_is_no_cut(tiny, evaluate, images):
    weights = {"flat": np.array([-1, 4], np.int64), "back": np.array([-1, 3, 4, 4], np.int64)}
    nodes = [
        helper.make_node("Relu", ["input"], ["a"]),
        helper.make_node("Reshape", ["a", "flat"], ["rows"]),
        helper.make_node("Tanh", ["rows"], ["squashed"]),
        helper.make_node("Reshape", ["squashed", "back"], ["scores"]),
    ]
    model = tiny(nodes, weights, "scores")
    blocks = find_blocks(model)
    assert [block.tensor for block in blocks] == ["a", "scores"]
    suffix = cut_graph(model, blocks, 1, 2)
    np.testing.assert_allclose(evaluate(suffix, np.maximum(images(), 0)), evaluate(model, images()), atol=1e-6)


def test_only_float32_can_cross(tiny):
    nodes = [
        helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Relu", ["half"], ["positive"]),
        helper.make_node("Cast", ["positive"], ["scores"], to=TensorProto.FLOAT),
    ]
    assert [block.tensor for block in find_blocks(tiny(nodes, {}, "scores"))] == ["scores"]


def test_what_a_branch_inside_takes_from_outside_crosses_too(tiny):
    inner = {
        name: helper.make_graph(
            [helper.make_node("Add", ["a", bias], [f"{name}_out"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)],
        )
        for name, bias in (("then_branch", "a"), ("else_branch", "one"))
    }
    nodes = [
        helper.make_node("Relu", ["input"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("If", ["yes"], ["c"], **inner),
        helper.make_node("Add", ["b", "c"], ["scores"]),
    ]
    model = tiny(nodes, {"yes": np.array(True), "one": np.ones((1,), np.float32)}, "scores")
    blocks = find_blocks(model)
    assert [block.tensor for block in blocks] == ["a", "scores"]
    onnx.checker.check_model(cut_graph(model, blocks, 1, 2))


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (1, 1), (2, 1), (0, 3)])
def test_cuts_that_are_not_there_are_refused(tiny, start, stop):
    model = tiny(
        [helper.make_node("Relu", ["input"], ["a"]), helper.make_node("Tanh", ["a"], ["scores"])], {}, "scores"
    )
    with pytest.raises(BundleError, match=rf"0 <= start < stop <= 2, got start {start} and stop {stop}"):
        cut_graph(model, find_blocks(model), start, stop)


def test_two_inputs_are_refused(tiny):
    model = tiny([helper.make_node("Add", ["input", "other"], ["scores"])], {}, "scores")
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ("batch", 3, 4, 4)))
    with pytest.raises(BundleError, match=r"exactly one input, got 2 \('input', 'other'\)"):
        find_blocks(model)


def test_shapes_that_do_not_fit_are_refused(tiny):
    model = tiny(
        [helper.make_node("Conv", ["input", "w"], ["scores"])], {"w": np.ones((3, 5, 1, 1), np.float32)}, "scores"
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    model.graph.node.append(helper.make_node("MatMul", ["scores", "m"], ["end"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((9, 2), np.float32), "m"))
    model.graph.output[0].name = "end"
    with pytest.raises(BundleError, match="shapes do not fit together"):
        find_blocks(model)


def test_an_input_without_a_shape_is_refused(tiny):
    model = tiny([helper.make_node("Relu", ["input"], ["scores"])], {}, "scores")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BundleError, match="'input' states no shape"):
        find_blocks(model)


def test_an_output_that_the_input_does_not_reach_is_refused(tiny):
    nodes = [helper.make_node("Relu", ["input"], ["a"]), helper.make_node("Tanh", ["w"], ["scores"])]
    with pytest.raises(BundleError, match="the output 'scores' needs"):
        find_blocks(tiny(nodes, {"w": np.ones((2, 3, 4, 4), np.float32)}, "scores"))


def test_chance_cannot_be_made_twice_so_it_crosses(tiny):
    nodes = [
        helper.make_node("RandomNormal", [], ["noise"], shape=[1, 3, 4, 4]),
        helper.make_node("Relu", ["input"], ["a"]),
        helper.make_node("Add", ["a", "noise"], ["scores"]),
    ]
    assert [block.tensor for block in find_blocks(tiny(nodes, {}, "scores"))] == ["scores"]
