import re
import shlex
from pathlib import Path

from midspan.cli import main

DOCS = Path(__file__).parents[2] / "docs" / "bundles.md"
COMMANDS = re.findall(r"^midspan .*$", "\n".join(re.findall(r"```console\n(.*?)```", DOCS.read_text(), re.S)), re.M)


def test_every_command_of_the_page_works_as_written(bundle, save_classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "efficientnet-lite").symlink_to(bundle)
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\ndog\n")
    save_classifier("model.onnx")
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        assert main(shlex.split(command)[1:]) == 0, command


def test_the_table_of_variants_is_right(bundle):
    from midspan import bundle as bundles

    for variant in bundles.load(bundle).variants:
        row = (
            f"| {variant.name} | {variant.preprocessing.side_px} x {variant.preprocessing.side_px} "
            f"| {variant.macs / 1e6:.0f} M | {variant.graph_bytes / 1e6:.1f} MB | {variant.accuracy.top1:.1%} |"
        )
        assert row in DOCS.read_text()
