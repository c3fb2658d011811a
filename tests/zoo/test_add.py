import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from midspan import bundle as bundles
from midspan.bundle import Accuracy, Preprocessing
from midspan.errors import BundleError
from midspan.graph.check import read_graph
from midspan.zoo.add import add_model
from midspan.zoo.probe import probe_scores, run_graph

LABELS = ("ant", "bee", "cat", "dog")
PREPROCESSING = Preprocessing(8, 10, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0))


def add(model, directory, name="small", preprocessing=PREPROCESSING, labels=LABELS, **options):
    return add_model(model, directory, name=name, preprocessing=preprocessing, labels=labels, **options)


def test_a_new_bundle_is_made_around_the_first_model(save_classifier, tmp_path):
    family = add(save_classifier(), tmp_path / "mine", accuracy=Accuracy(0.5, "four insects", "me"))
    assert (family.name, family.default, family.labels) == ("mine", "small", LABELS)
    assert bundles.load(tmp_path / "mine", verify=True) == family
    (variant,) = family.variants
    assert (variant.input_name, variant.output_name, variant.classes) == ("image", "scores", 4)
    assert variant.macs == 8 * 8 * 6 * 27 + 6 * 4
    assert variant.accuracy.top1 == 0.5
    scores = probe_scores(read_graph(variant.path), PREPROCESSING, family.probe)
    np.testing.assert_allclose(scores, variant.probe_scores, atol=1e-5)


def test_variants_go_from_the_fastest_up_and_the_default_stays(save_classifier, tmp_path):
    add(save_classifier(channels=12), tmp_path / "mine", "middle")
    add(save_classifier(channels=24), tmp_path / "mine", "large", labels=())
    family = add(save_classifier(channels=2), tmp_path / "mine", "tiny")
    assert [variant.name for variant in family.variants] == ["tiny", "middle", "large"]
    assert family.default == "middle"


def test_the_efficientnet_bundle_takes_a_stranger(bundle, save_classifier, tmp_path):
    directory = tmp_path / "copy"
    directory.mkdir()
    for path in bundle.iterdir():
        (directory / path.name).symlink_to(path)
    family = add(save_classifier(classes=1000), directory, "stranger", labels=())
    assert [variant.name for variant in family.variants] == ["stranger", "lite0", "lite1", "lite2"]
    assert [variant.name for variant in bundles.load(bundle).variants] == ["lite0", "lite1", "lite2"]


@pytest.mark.parametrize("flat", [None, [1, 6], [1, -1]])
def test_a_fixed_batch_is_freed(save_classifier, tmp_path, flat):
    family = add(save_classifier(batch=1, flat=flat), tmp_path / "mine")
    images = np.random.default_rng(0).uniform(-1, 1, (5, 3, 8, 8)).astype(np.float32)
    assert run_graph(read_graph(family.variants[0].path), images).shape == (5, 4)


def test_a_model_for_any_size_is_fixed_to_the_one_asked_for(save_classifier, tmp_path):
    family = add(save_classifier(side="side"), tmp_path / "mine")
    graph = read_graph(family.variants[0].path)
    assert [dim.dim_value for dim in graph.graph.input[0].type.tensor_type.shape.dim[1:]] == [3, 8, 8]


def refused(model, directory, match, **options):
    with pytest.raises(BundleError, match=match):
        add(model, directory, **options)
    assert not directory.exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layout": "NHWC"}, r"must be FLOAT \[batch, 3, side, side\], got FLOAT \[None, 8, 8, 3\]"),
        ({"kind": TensorProto.FLOAT16}, r"must be FLOAT .*, got FLOAT16"),
        ({"side": 16}, "takes pictures of 16 x 16 pixels, not 8 x 8"),
        ({"classes": 5}, "has 5 classes but there are 4 labels"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_and_nothing_is_made(save_classifier, tmp_path, changes, match):
    refused(save_classifier(**changes), tmp_path / "mine", rf"^model\.onnx: .*{match}")


def test_a_batch_that_cannot_be_freed_is_refused(make_classifier, tmp_path):
    model = make_classifier(batch=2)
    # an addition of one row for each of two pictures
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((2, 4), np.float32), "rows"))
    model.graph.node[-1].output[0] = "almost"
    model.graph.node.append(helper.make_node("Add", ["almost", "rows"], ["scores"]))
    onnx.save(model, tmp_path / "two.onnx")
    refused(tmp_path / "two.onnx", tmp_path / "mine", "batch")


def test_scores_that_depend_on_the_neighbours_are_refused(make_classifier, tmp_path):
    model = make_classifier()
    model.graph.node[-1].output[0] = "almost"
    model.graph.node.append(helper.make_node("Softmax", ["almost"], ["scores"], axis=0))
    onnx.save(model, tmp_path / "odd.onnx")
    refused(tmp_path / "odd.onnx", tmp_path / "mine", "depend on the others in its batch")


def test_an_output_that_is_no_row_of_scores_is_refused(make_classifier, tmp_path):
    model = make_classifier()
    model.graph.output[0].name = "means"
    shape = model.graph.output[0].type.tensor_type.shape
    shape.dim[1].dim_value = 6
    for _ in range(2):
        shape.dim.add().dim_value = 1
    del model.graph.node[3:]
    onnx.save(model, tmp_path / "map.onnx")
    refused(tmp_path / "map.onnx", tmp_path / "mine", r"\(batch, classes\), got \('batch', 6, 1, 1\)")


def test_a_model_of_two_outputs_is_refused(make_classifier, tmp_path):
    model = make_classifier()
    model.graph.output.append(helper.make_tensor_value_info("row", TensorProto.FLOAT, ("batch", 6)))
    onnx.save(model, tmp_path / "two.onnx")
    refused(tmp_path / "two.onnx", tmp_path / "mine", "exactly one output, got 2")


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    refused(tmp_path / "text.onnx", tmp_path / "mine", r"text\.onnx")
    refused(tmp_path / "none.onnx", tmp_path / "mine", "No such file")


@pytest.mark.parametrize(
    ("preprocessing", "match"),
    [
        (Preprocessing(8, 7, (0.0,) * 3, (1.0,) * 3), "side_px <= resize_px"),
        (Preprocessing(8, 8, (0.0,) * 3, (0.0,) * 3), "std must be above 0"),
        (Preprocessing(8, 8, (float("nan"),) * 3, (1.0,) * 3), "finite"),
        (Preprocessing(8, 8, (0.0,) * 3, (1.0,) * 3, "guess"), "interpolation must be one of"),
        (Preprocessing(0, 8, (0.0,) * 3, (1.0,) * 3), "side_px"),
    ],
)
def test_impossible_preprocessing_is_refused(save_classifier, tmp_path, preprocessing, match):
    refused(save_classifier(side="side"), tmp_path / "mine", match, preprocessing=preprocessing)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "two words"])
def test_names_that_are_no_file_names_are_refused(save_classifier, tmp_path, name):
    refused(save_classifier(), tmp_path / "mine", "a name needs", name=name)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_old_bundle_keeps_its_names_and_labels(save_classifier, tmp_path):
    directory = tmp_path / "mine"
    family = add(save_classifier(), directory)
    with pytest.raises(BundleError, match="has a variant 'small' already"):
        add(save_classifier(), directory)
    with pytest.raises(BundleError, match="has other labels"):
        add(save_classifier(), directory, "other", labels=("a", "b", "c", "d"))
    with pytest.raises(BundleError, match="has 5 classes but there are 4 labels"):
        add(save_classifier(classes=5), directory, "five", labels=())
    assert bundles.load(directory, verify=True) == family
    assert sorted(path.name for path in directory.iterdir()) == ["bundle.json", "labels.txt", "probe.png", "small.onnx"]


def test_a_new_bundle_needs_labels_and_a_place_of_its_own(save_classifier, tmp_path):
    refused(save_classifier(), tmp_path / "mine", "to make one, give its labels", labels=())
    with pytest.raises(BundleError, match="is there and is no bundle"):
        add(save_classifier(), tmp_path)
