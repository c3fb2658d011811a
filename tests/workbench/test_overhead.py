"""The benchmark runs whole, on real servers, with a few requests: figures that add up, whatever they are."""

from __future__ import annotations

import json

import pytest

from midspan import cli


@pytest.mark.parametrize(("kind", "measures"), [("triton", 6), ("torchserve", 3)])
def test_overhead_reports_ours_the_peers_and_the_limit(kind, measures, bundle, tmp_path, capsys):
    config = tmp_path / "midspan.toml"
    config.write_text(
        f'[plugins]\nenabled = ["preprocess", "onnxruntime"]\n[family]\nbundle = "{bundle}"\n', encoding="utf-8"
    )
    assert cli.main(["bench", "overhead", "--config", str(config), "--server", kind, "--quick", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == measures
    for row in rows:
        assert row["ratio"] > 0
        limit = float(row["limit"].split()[1])
        assert row["holds"] is (row["ratio"] <= limit if row["limit"].startswith("<=") else row["ratio"] >= limit)
        assert row["measure"].startswith((kind, "client"))
