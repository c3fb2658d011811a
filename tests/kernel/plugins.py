"""Small plug-ins for the kernel's tests, and a way to pass them off as installed. A module of helpers, not of tests."""

from __future__ import annotations

import dataclasses
import sys
import types
from importlib.metadata import EntryPoint

import numpy as np

from midspan.config import Config, FamilyConfig, PluginsConfig, ServerConfig
from midspan.errors import BadPayloadError, RequestError, UnavailableError
from midspan.hookspecs import hookimpl
from midspan.manager import InstalledPlugin
from midspan.types import Decoded, Parameter, Prepared


class Engine:
    """Decodes `b"n"` to the number n, prepares it as a row of four, runs by adding; counts what it is asked to run."""

    def __init__(self):
        self.batches = []

    @hookimpl
    def midspan_parameters(self):
        return [Parameter("add", float, 0.0, "added to every score", minimum=-10, maximum=10)]

    @hookimpl
    def midspan_decode(self, request):
        if not request.payload.isdigit():
            raise BadPayloadError(f"wants digits, got {request.payload!r}")
        return Decoded("number", int(request.payload))

    @hookimpl
    def midspan_prepare(self, request, decoded, variant):
        if decoded.value == 400:
            raise RequestError("no such number")
        row = np.arange(4, dtype=np.float32) * (decoded.value + request.parameters["add"])
        return Prepared(row[np.newaxis], cut=0)

    @hookimpl
    def midspan_run(self, variant, tensors):
        self.batches.append((variant.name, len(tensors)))
        if (tensors[:, 1] == 666).any():
            raise ArithmeticError("the beast")
        if (tensors[:, 1] == 503).any():
            raise UnavailableError("too busy")
        return tensors


def options_plugin():
    @dataclasses.dataclass(frozen=True)
    class Options:
        loud: bool = False

    class Configured:
        options = None
        closed = 0

        @hookimpl
        def midspan_configure(self, options, context):
            from midspan.config import read_table

            self.options = read_table(Options, options, "plugins.configured")
            self.context = context

        @hookimpl
        def midspan_close(self):
            self.closed += 1

    return Configured


def finder(**factories):
    """A stand-in for `manager.installed` over factories by plug-in name; each is reached through a real entry point."""
    found = {}
    for name, factory in factories.items():
        module = types.ModuleType(f"midspan_test_plugin_{name}")
        module.factory = factory
        sys.modules[module.__name__] = module
        entry = EntryPoint(name, f"{module.__name__}:factory", "midspan")
        found[name] = InstalledPlugin(name, f"dist-of-{name} 1.0", entry)
    return lambda: found


def config_for(bundle, *enabled, options=None, **server):
    return Config(PluginsConfig(enabled, options or {}), FamilyConfig(bundle), ServerConfig(**server))
