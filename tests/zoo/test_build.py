import os
from dataclasses import replace

import pytest

from midspan import bundle as bundles
from midspan.errors import BundleError
from midspan.zoo import build
from midspan.zoo.build import build_bundle, imagenet_labels


@pytest.fixture
def lite0(bundle, tmp_path):
    """A bundle of its own with lite0 alone, copied rather than made."""
    directory = tmp_path / "lite0"
    directory.mkdir()
    family = bundles.load(bundle)
    variant = family.variant("lite0")
    (directory / variant.graph).write_bytes(variant.path.read_bytes())
    bundles.save(replace(family, variants=(variant,)), directory)
    return directory


def test_a_bundle_is_made_whole_with_its_parents_and_nothing_beside_it(tmp_path):
    output = tmp_path / "deep" / "down"
    steps = []
    family = build_bundle(output, ["lite0"], report=steps.append)
    assert steps == ["lite0: export", "lite0: compare with torch", "lite0: cut"]
    assert bundles.load(output, verify=True) == family
    assert sorted(path.name for path in output.iterdir()) == ["bundle.json", "labels.txt", "lite0.onnx", "probe.png"]
    assert [path.name for path in output.parent.iterdir()] == ["down"]
    umask = os.umask(0)
    os.umask(umask)
    assert output.stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_graph_that_differs_from_torch_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    run_graph = build.run_graph
    monkeypatch.setattr(build, "run_graph", lambda graph, images: run_graph(graph, images) + 2e-4)
    with pytest.raises(BundleError, match=r"scores differ from torch by 0\.0002\d*; at most 0\.0001 is allowed"):
        build_bundle(tmp_path / "bundle", ["lite0"])
    assert not list(tmp_path.iterdir())


def test_a_failed_rebuild_leaves_the_old_bundle(lite0):
    before = bundles.load(lite0)
    with pytest.raises(BundleError, match="no recipe for 'lite9'; there are lite0, lite1, lite2"):
        build_bundle(lite0, ["lite9"], force=True)
    assert bundles.load(lite0, verify=True) == before
    assert [path.name for path in lite0.parent.iterdir()] == ["lite0"]


def test_a_damaged_bundle_is_named_and_made_anew_only_by_force(lite0):
    graph = lite0 / "lite0.onnx"
    contents = bytearray(graph.read_bytes())
    contents[-1] ^= 1
    graph.write_bytes(contents)
    with pytest.raises(BundleError, match=r"lite0\.onnx does not have the SHA-256.*--force makes it anew"):
        build_bundle(lite0, ["lite0"])
    build_bundle(lite0, ["lite0"], force=True)
    bundles.load(lite0, verify=True)


def test_a_bundle_without_a_wanted_variant_is_not_overwritten_unasked(lite0):
    with pytest.raises(BundleError, match="has no variant lite1, lite2; --force makes it anew"):
        build_bundle(lite0)


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_that_is_no_bundle_is_never_overwritten(tmp_path, force):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(BundleError):
        build_bundle(tmp_path, force=force)
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("names", [[], ["lite0", "lite0"]])
def test_a_family_needs_variants_that_differ(tmp_path, names):
    with pytest.raises(BundleError, match=r"needs one variant or more, all different, got"):
        build_bundle(tmp_path / "bundle", names)


def test_labels_are_a_thousand_different_names_in_order():
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert all(label.strip() == label and label for label in labels)
    assert (labels[0], labels[417], labels[999]) == ("tench", "balloon", "toilet tissue")
