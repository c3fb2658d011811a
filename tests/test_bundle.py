import hashlib
import json
from dataclasses import replace

import pytest

from midspan import bundle as bundles
from midspan.bundle import Accuracy, Block, Family, PreprocessedAccuracy, Preprocessing, Variant
from midspan.errors import BundleError, UnknownVariantError

GRAPH = b"no graph, but bytes"


def make_variant(name):
    return Variant(
        name=name,
        graph=f"{name}.onnx",
        sha256=hashlib.sha256(GRAPH).hexdigest(),
        input_name="input",
        output_name="scores",
        classes=2,
        preprocessing=Preprocessing(8, 10, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
        blocks=(Block("block1", "t", (3, 4, 4), 100), Block("block2", "scores", (2,), 0)),
        macs=1000,
        graph_bytes=len(GRAPH),
        accuracy=Accuracy(0.5, "coins", "thrown"),
        probe_scores=(0.25, 0.75),
        preprocessed=(
            PreprocessedAccuracy(75, 0.96, 9000.0, 50),
            PreprocessedAccuracy(90, 0.98, 1.5e4, 50, 0.74, 0.75),
        ),
    )


FAMILY = Family("coins", "small", ("heads", "tails"), (make_variant("small"), make_variant("large")), b"a picture")


@pytest.fixture
def directory(tmp_path):
    for variant in FAMILY.variants:
        (tmp_path / variant.graph).write_bytes(GRAPH)
    bundles.save(FAMILY, tmp_path)
    return tmp_path


@pytest.fixture
def tampered(directory):
    """Changes one entry, named by its path in the tables, and gives the directory."""

    def tamper(*path_and_value):
        *path, last, value = path_and_value
        file = directory / "bundle.json"
        tables = json.loads(file.read_text())
        table = tables
        for key in path:
            table = table[key]
        table[last] = value
        file.write_text(json.dumps(tables))
        return directory

    return tamper


def refused(directory, match, **options):
    with pytest.raises(BundleError, match=match) as caught:
        bundles.load(directory, **options)
    assert str(directory) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_was_saved_is_loaded(directory):
    family = bundles.load(directory, verify=True)
    assert family == FAMILY
    assert family.variant("large").path == directory / "large.onnx"
    assert family.variant("small").cuts == 2


def test_a_bundle_that_says_nothing_of_preprocessing_on_the_device_is_read(directory):
    tables = json.loads((directory / "bundle.json").read_text())
    for row in tables["variants"]:
        del row["preprocessed"]
    (directory / "bundle.json").write_text(json.dumps(tables))
    assert [variant.preprocessed for variant in bundles.load(directory).variants] == [(), ()]


def test_saving_again_leaves_no_other_files(directory):
    bundles.save(FAMILY, directory)
    assert sorted(path.name for path in directory.iterdir()) == [
        "bundle.json",
        "labels.txt",
        "large.onnx",
        "probe.png",
        "small.onnx",
    ]


def test_what_could_not_be_loaded_is_not_saved(directory):
    before = (directory / "bundle.json").read_bytes()
    with pytest.raises(BundleError, match="has 2 classes but there are 1 labels"):
        bundles.save(replace(FAMILY, labels=("heads",)), directory)
    assert (directory / "bundle.json").read_bytes() == before


def test_an_unknown_variant_is_the_callers_fault():
    with pytest.raises(UnknownVariantError, match="no variant 'x'; there are small, large"):
        FAMILY.variant("x")


@pytest.mark.parametrize("name", ["../small.onnx", "/etc/passwd", "a/b", "", ".", "..", None, 7, ["small.onnx"], "\0"])
@pytest.mark.parametrize("entry", [("labels",), ("probe",), ("variants", 0, "graph")])
def test_files_outside_are_never_opened(tampered, entry, name):
    refused(tampered(*entry, name), "plain file name|null byte|null character|no file|must be")


V = ("variants", 0)
ROW = {"quality": 90, "agreement": 1.0, "bytes_mean": 1.0, "images": 1}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("midspan_bundle", 2), "not a bundle of version 1"),
        (("default", "none"), "default 'none' is no variant; there are small, large"),
        (("name", 5), "name must be text"),
        (("surprise", 1), "unknown option 'surprise'"),
        (("variants", {}), "variants must be a list"),
        (("variants", []), "default 'small' is no variant"),
        (("variants", 0, 5), "each variant must be a table"),
        ((*V, "path", "/etc/passwd"), "without a path"),
        ((*V, "name", "../up"), "a name needs"),
        ((*V, "name", "x" * 100_000), "a name needs"),
        ((*V, "name", "large"), "two variants have the same name: large, large"),
        ((*V, "graph", "none.onnx"), "no file none.onnx"),
        ((*V, "graph_bytes", 5), "has 19 bytes, not 5"),
        ((*V, "macs", -1), "below 0"),
        ((*V, "macs", True), "macs must be a whole number"),
        ((*V, "macs", 1.5), "macs must be a whole number"),
        ((*V, "sha256", "abc"), "64 hexadecimal digits"),
        ((*V, "classes", 3), "has 3 classes but there are 2 labels"),
        ((*V, "probe_scores", [1.0]), "probe_scores needs 2 numbers, got 1"),
        ((*V, "probe_scores", [1.0, float("nan")]), "probe_scores must be finite"),
        ((*V, "accuracy", "top1", 75.1), "between 0 and 1, got 75.1"),
        ((*V, "accuracy", "top1", float("nan")), "between 0 and 1"),
        ((*V, "accuracy", "top1", 10**400), "too large"),
        ((*V, "preprocessed", 0, "quality", 0), "quality must be between 1 and 100, got 0"),
        ((*V, "preprocessed", 0, "quality", 101), "quality must be between 1 and 100, got 101"),
        ((*V, "preprocessed", 0, "quality", 90), "one row for each quality, at most 16"),
        ((*V, "preprocessed", [ROW | {"quality": quality} for quality in range(1, 18)]), "at most 16"),
        ((*V, "preprocessed", 0, "top1", 0.5), "top1 and top1_in_cloud go together"),
        ((*V, "preprocessed", 1, "top1", 1.5), "between 0 and 1"),
        ((*V, "preprocessed", 1, "top1_in_cloud", -0.1), "between 0 and 1"),
        ((*V, "preprocessed", 0, "agreement", float("nan")), "between 0 and 1"),
        ((*V, "preprocessed", 0, "bytes_mean", float("inf")), "must be above 0"),
        ((*V, "preprocessed", 0, "images", 0), "must be above 0"),
        ((*V, "preprocessed", 0, "surprise", 1), "unknown option"),
        ((*V, "blocks", []), "at least one block"),
        ((*V, "blocks", 0, "shape", [3, -4]), "sizes above 0"),
        ((*V, "blocks", 0, "weight_bytes", -1), "sizes above 0"),
        ((*V, "blocks", 1, "tensor", "t"), "must end at the output"),
        ((*V, "blocks", 1, "shape", [3]), "must end at the output"),
        ((*V, "preprocessing", "side_px", 11), "side_px <= resize_px"),
        ((*V, "preprocessing", "resize_px", 10**9), "resize_px <= 4096"),
        ((*V, "preprocessing", "side_px", 0), "1 <= side_px"),
        ((*V, "preprocessing", "mean", [1, 2]), "three finite numbers"),
        ((*V, "preprocessing", "std", [1, 1, float("inf")]), "three finite numbers"),
        ((*V, "preprocessing", "std", [1, 1, 0]), "std must be above 0"),
        ((*V, "preprocessing", "interpolation", "guess"), "must be one of nearest"),
    ],
)
def test_each_lie_is_named(tampered, change, match):
    refused(tampered(*change), match)


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b"null", b"\xff\xff", b"[" * 200_000, b'{"midspan_bundle": 1}'])
def test_what_is_no_bundle_json(directory, contents):
    (directory / "bundle.json").write_bytes(contents)
    refused(directory, "bundle")


def test_a_huge_bundle_json_is_not_read(directory):
    with (directory / "bundle.json").open("wb") as file:
        file.truncate(bundles.MAX_BUNDLE_JSON_BYTES + 1)
    refused(directory, "bundle.json has 16777217 bytes; at most 16777216 are allowed")


def test_a_graph_that_was_changed_is_found_when_asked(directory):
    (directory / "large.onnx").write_bytes(GRAPH[::-1])
    bundles.load(directory)
    refused(directory, "large.onnx does not have the SHA-256", verify=True)


def test_a_directory_that_is_not_there(tmp_path):
    refused(tmp_path / "none", "cannot read bundle.json: No such file")
