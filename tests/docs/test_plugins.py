"""docs/plugins.md tells of every hook, with its arguments, and which of them take the first answer."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pluggy
import pytest

from midspan import hookspecs

PAGE = (Path(__file__).parents[2] / "docs/plugins.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(midspan_\w+)\(.*?\)` (\|.*)$", PAGE, re.MULTILINE))
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("midspan_")}


def test_every_hook_has_a_row():
    assert set(ROWS) == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_arguments_and_rule_are_as_in_the_code(name):
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
    assert f"| `{name}({arguments})` |" in PAGE
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    first = bool(getattr(manager.hook, name).spec.opts["firstresult"])
    assert ("the first that answers" in ROWS[name]) == first
