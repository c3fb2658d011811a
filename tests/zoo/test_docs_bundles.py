from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "bundles.md"


def test_the_table_of_variants_is_right(bundle):
    from midspan import bundle as bundles

    for variant in bundles.load(bundle).variants:
        row = (
            f"| {variant.name} | {variant.preprocessing.side_px} x {variant.preprocessing.side_px} "
            f"| {variant.macs / 1e6:.0f} M | {variant.graph_bytes / 1e6:.1f} MB | {variant.accuracy.top1:.1%} |"
        )
        assert row in DOCS.read_text()
