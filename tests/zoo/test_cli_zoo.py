import argparse
import json

import pytest

from midspan.cli import zoo
from midspan.errors import BundleError


@pytest.fixture
def midspan():
    parser = argparse.ArgumentParser()
    zoo.register(parser.add_subparsers())

    def call(*words):
        args = parser.parse_args(["zoo", *map(str, words)])
        return args.run(args)

    return call


SIZES = ("--side-px", 8, "--resize-px", 10, "--mean", 127, 127, 127, "--std", 128, 128, 128)


def test_build_leaves_a_whole_bundle_alone(midspan, bundle, capsys):
    assert midspan("build", "--output", bundle) == 0
    assert capsys.readouterr().out.strip().endswith(": lite0, lite1, lite2")


def test_add_then_show(midspan, save_classifier, tmp_path, capsys):
    labels = tmp_path / "labels.txt"
    labels.write_text("ant\nbee\ncat\ndog\n")
    model = save_classifier()
    added = midspan("add", model, "--bundle", tmp_path / "mine", "--name", "small", *SIZES, "--labels", labels)
    assert added == 0
    assert "added small, 4 classes, 5 blocks" in capsys.readouterr().out
    rated = ("--top1", 0.25, "--dataset", "coins")
    assert midspan("add", model, "--bundle", tmp_path / "mine", "--name", "twin", *SIZES, *rated) == 0
    capsys.readouterr()
    assert midspan("show", tmp_path / "mine", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["family"], shown["default"]) == ("mine", "small")
    assert [(row["name"], row["side_px"], row["classes"]) for row in shown["variants"]] == [
        ("small", 8, 4),
        ("twin", 8, 4),
    ]
    assert [row["accuracy"] and row["accuracy"]["top1"] for row in shown["variants"]] == [None, 0.25]


def test_show_prints_a_table(midspan, bundle, capsys):
    assert midspan("show", bundle) == 0
    out = capsys.readouterr().out
    for text in ("lite0 (default)", "224 px", "385", "75.1%"):
        assert text in out


def test_accuracy_needs_its_data_set(midspan, save_classifier, tmp_path):
    with pytest.raises(BundleError, match="--top1 and --dataset go together"):
        midspan("add", save_classifier(), "--bundle", tmp_path / "mine", "--name", "x", *SIZES, "--top1", 0.5)


@pytest.mark.parametrize(("contents", "match"), [(None, "cannot read"), (b"\xff\xfe", "not UTF-8")])
def test_labels_that_cannot_be_read(midspan, save_classifier, tmp_path, contents, match):
    labels = tmp_path / "labels.txt"
    if contents is not None:
        labels.write_bytes(contents)
    with pytest.raises(BundleError, match=match):
        midspan("add", save_classifier(), "--bundle", tmp_path / "b", "--name", "x", *SIZES, "--labels", labels)


def test_show_finds_damage(midspan, save_classifier, tmp_path):
    with pytest.raises(BundleError, match=r"cannot read bundle\.json"):
        midspan("show", tmp_path)
