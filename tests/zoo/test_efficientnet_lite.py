import numpy as np
import pytest
import torch

from midspan import bundle as bundles
from midspan.graph.check import read_graph
from midspan.graph.cut import cut_graph
from midspan.graph.tensors import tensor_types
from midspan.zoo.build import build_bundle
from midspan.zoo.efficientnet_lite import RECIPES, load_pretrained
from midspan.zoo.probe import draw_probe, probe_scores, run_graph
from midspan.zoo.reference import reference_tensor


@pytest.fixture(scope="module")
def family(bundle):
    return bundles.load(bundle, verify=True)


def noise(side_px, batch=2):
    return np.random.default_rng(side_px).uniform(-1, 1, (batch, 3, side_px, side_px)).astype(np.float32)


@pytest.mark.parametrize("name", RECIPES)
def test_onnx_and_torch_agree_to_1e_4(family, name):
    variant = family.variant(name)
    graph = read_graph(variant.path)
    images = np.concatenate(
        [noise(variant.preprocessing.side_px), reference_tensor(family.probe, variant.preprocessing)]
    )
    with torch.inference_mode():
        expected = load_pretrained(RECIPES[name])(torch.from_numpy(images)).numpy()
    assert np.abs(run_graph(graph, images) - expected).max() <= 1e-4


def test_the_family_says_what_it_is(family):
    assert family.name == "efficientnet-lite"
    assert family.default == "lite0"
    assert [variant.name for variant in family.variants] == ["lite0", "lite1", "lite2"]
    assert [variant.preprocessing.side_px for variant in family.variants] == [224, 240, 260]
    assert [variant.preprocessing.resize_px for variant in family.variants] == [256, 274, 297]
    assert [variant.accuracy.top1 for variant in family.variants] == [0.751, 0.767, 0.776]
    assert len(family.labels) == 1000
    macs = [variant.macs for variant in family.variants]
    assert macs == sorted(macs)
    assert 380e6 < macs[0] < 410e6


def test_the_probe_is_a_balloon_to_every_variant(family):
    for variant in family.variants:
        assert family.labels[int(np.argmax(variant.probe_scores))] == "balloon"


def test_the_probe_s_scores_are_those_of_the_graph(family):
    assert family.probe == draw_probe()
    variant = family.variant("lite0")
    again = probe_scores(read_graph(variant.path), variant.preprocessing, family.probe)
    np.testing.assert_allclose(again, variant.probe_scores, atol=1e-4)


def test_lite0_has_48_places_to_cut_between_its_ends(family):
    blocks = family.variant("lite0").blocks
    assert len(blocks) == 49
    assert blocks[-1].tensor == "scores"
    assert sum(block.weight_bytes for block in blocks) == pytest.approx(4 * 4.63e6, rel=0.01)


@pytest.mark.parametrize("name", RECIPES)
def test_no_trace_of_the_exporter_is_left(family, name):
    graph = read_graph(family.variant(name).path)
    kinds = {node.op_type for node in graph.graph.node}
    assert kinds == {"Conv", "Clip", "Add", "GlobalAveragePool", "Reshape", "Gemm"}
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17)]
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_param")


@pytest.mark.parametrize("cut", [1, 4, 11, 24, 36, 44, 47, 48])
def test_prefix_and_suffix_make_the_whole(family, cut):
    variant = family.variant("lite0")
    graph = read_graph(variant.path)
    images = noise(variant.preprocessing.side_px)
    code = run_graph(cut_graph(graph, variant.blocks, 0, cut), images)
    assert code.shape == (2, *variant.blocks[cut - 1].shape)
    scores = run_graph(cut_graph(graph, variant.blocks, cut, variant.cuts), code)
    np.testing.assert_allclose(scores, run_graph(graph, images), atol=1e-4)


def test_every_cut_s_shape_is_that_of_its_tensor(family):
    for variant in family.variants:
        types = tensor_types(read_graph(variant.path), 5)
        assert all(types[block.tensor].shape == (5, *block.shape) for block in variant.blocks)


def test_building_again_finds_it_whole_and_touches_nothing(bundle):
    before = {path: path.stat().st_mtime_ns for path in bundle.iterdir()}
    steps = []
    build_bundle(bundle, report=steps.append)
    assert not steps
    assert {path: path.stat().st_mtime_ns for path in bundle.iterdir()} == before
