"""docs/configuration.md names every option and every parameter, each with its type, range and default."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import types
import typing
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from documents import blocks_of

from midspan import parameters
from midspan.config import Config
from midspan.manager import GROUP

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text("utf-8")
KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}


def own_plugins():
    """The entry points that come with Midspan."""
    return [entry for entry in entry_points(group=GROUP) if entry.dist and entry.dist.name == "midspan"]


def tables():
    """Every table of options, with its dataclass."""
    hints = typing.get_type_hints(Config)
    yield from ((field.name, hints[field.name]) for field in dataclasses.fields(Config))
    for entry in own_plugins():
        module = importlib.import_module(entry.module)
        for name, value in vars(module).items():
            if name.endswith("Options") and dataclasses.is_dataclass(value) and inspect.getmodule(value) is module:
                yield f"plugins.{entry.name}", value


def rows(section):
    """The table under a heading: a list of cells by the first one."""
    start = PAGE.index(f"\n### `[{section}]`\n") if section else PAGE.index("\n## Parameters of a request\n")
    lines = PAGE[start + 1 :].splitlines()[1:]
    body = []
    for line in lines:
        if line.startswith("#"):
            break
        if line.startswith("| `"):
            body.append([cell.strip() for cell in line.strip("|").split("|")])
    return {row[0].strip("`"): row[1:] for row in body}


def kind_of(hint):
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return f"list of {KINDS[typing.get_args(hint)[0]]}"
    return KINDS[hint]


def default_of(field):
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "—"
    if field.default is None:
        return "none"
    return f"`{field.default}`" if isinstance(field.default, str) else json.dumps(field.default)


@pytest.mark.parametrize(("section", "table"), [pytest.param(*one, id=one[0]) for one in tables()])
def test_every_option_is_documented(section, table):
    hints = typing.get_type_hints(table)
    documented = rows(section)
    fields = {field.name: field for field in dataclasses.fields(table)}
    if section == "plugins":
        del fields["options"]  # the tables of the plug-ins
    assert list(documented) == list(fields)
    for name, field in fields.items():
        bounds = f"{field.metadata['minimum']} … {field.metadata['maximum']}" if field.metadata else ""
        assert documented[name][:3] == [kind_of(hints[name]), bounds, default_of(field)], name
        assert len(documented[name][3]) > 10, name


def test_every_parameter_is_documented():
    groups = [("kernel", parameters.KERNEL_PARAMETERS)]
    for entry in own_plugins():
        plugin = entry.load()()
        if hasattr(plugin, "midspan_parameters"):
            groups.append((entry.name, plugin.midspan_parameters()))
    declared = {parameter.name: (owner, parameter) for owner, group in groups for parameter in group}
    documented = rows("")
    assert set(documented) == set(declared)
    for name, (owner, one) in declared.items():
        bounds = f"{one.minimum} … {one.maximum}" if one.minimum is not None else ""
        bounds = f"up to {one.maximum} characters" if one.kind is str else bounds
        default = "empty" if one.default == "" else json.dumps(one.default)
        assert documented[name][:4] == [KINDS[one.kind], bounds, default, owner], name


def test_every_plugin_of_ours_has_a_section():
    for entry in own_plugins():
        assert f"\n### `[plugins.{entry.name}]`\n" in PAGE


def test_the_other_spellings_are_read():
    blocks = {block.language: block.code for block in blocks_of(PAGE) if "midspan" in block.code}
    from_yaml = Config.from_tables(yaml.safe_load(blocks["yaml"])["midspan"])
    [quoted] = re.findall(r'string_value: (".*") }', blocks["text"])
    from_json = Config.from_json(json.loads(quoted))
    assert from_yaml.plugins.enabled == from_json.plugins.enabled == ("preprocess", "onnxruntime")
    assert from_yaml.plugins.options == {"preprocess": {"max_pixels": 20_000_000}}
