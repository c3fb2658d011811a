"""The cost of deciding is measured whole; how large it is, is the machine's affair."""

from __future__ import annotations

import gc
import json

from midspan import cli
from midspan.workbench.placement.cost import measure_cost


def test_all_that_costs_is_measured():
    decision, checks, learning, lesson = measure_cost(200, seed=1)
    assert gc.isenabled()
    for row in (decision, checks, learning, lesson):
        assert row.unit == "µs"
        assert row.ours > 0
        assert row.ratio == row.ours / row.peer
    assert (decision.peer, checks.peer, learning.peer) == (330.0, 4.0, 100.0)
    assert checks.ours < decision.ours


def test_the_command(capsys):
    assert cli.main(["bench", "placement", "--requests", "100", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4
    assert cli.main(["bench", "placement", "--requests", "99"]) == 1
    assert "--requests must be between" in capsys.readouterr().err
