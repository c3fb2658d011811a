"""From a configuration to a set of loaded plug-ins, or to one error that says which plug-in is wrong and why."""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from midspan import hookspecs
from midspan.config import PluginsConfig
from midspan.errors import ConfigError, PluginError, PluginFailedError
from midspan.types import Context, Parameter

__all__ = [
    "GROUP",
    "InstalledPlugin",
    "build_manager",
    "close",
    "configure",
    "declared_parameters",
    "each_alone",
    "hooks_of",
    "installed",
    "whose_fault",
]

log = logging.getLogger("midspan")

GROUP = "midspan"
"""The entry-point group of the server half of plug-ins."""


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An entry point that could be enabled."""

    name: str
    distribution: str
    entry_point: EntryPoint


def installed() -> dict[str, InstalledPlugin]:
    """All entry points of the group, by name; nothing is imported. Raises PluginError if two have the same name."""
    found: dict[str, InstalledPlugin] = {}
    for entry in entry_points(group=GROUP):
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
        plugin = InstalledPlugin(entry.name, distribution, entry)
        other = found.get(entry.name)
        if other and other.entry_point.value != entry.value:
            raise PluginError(entry.name, distribution, f"{other.distribution} brings a plug-in of the same name")
        found[entry.name] = plugin
    return found


def build_manager(
    config: PluginsConfig, find: Callable[[], Mapping[str, InstalledPlugin]] = installed
) -> pluggy.PluginManager:
    """Import and register the enabled plug-ins, and no others. Raises PluginError.

    pluggy asks the latest registered first, so registering in reverse makes the first of `enabled` win.
    """
    available = find()
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    if len(set(config.enabled)) != len(config.enabled):
        raise ConfigError(f"plugins.enabled names a plug-in twice: {', '.join(config.enabled)}")
    for name in reversed(config.enabled):
        if name not in available:
            there = ", ".join(sorted(available)) or "none"
            raise PluginError(name, "no installed distribution", f"is enabled but not installed; installed are {there}")
        _register(manager, available[name])
    return manager


def configure(
    manager: pluggy.PluginManager,
    config: PluginsConfig,
    context: Context,
    find: Callable[[], Mapping[str, InstalledPlugin]] = installed,
) -> None:
    """Give every plug-in its own options, in the order of `enabled`. Raises PluginError."""
    available = find()
    callers = dict(each_alone(manager, config, "midspan_configure"))
    for name in config.enabled:
        options = config.options.get(name, {})
        distribution = available[name].distribution
        if name not in callers:
            if options:
                raise PluginError(name, distribution, f"takes no options, got {', '.join(options)}")
            continue
        try:
            callers[name](options=options, context=context)
        except Exception as error:
            raise PluginError(name, distribution, f"cannot be configured: {error}") from error


def each_alone(manager: pluggy.PluginManager, config: PluginsConfig, hook: str) -> list[tuple[str, pluggy.HookCaller]]:
    """For a hook where all are asked: every plug-in that implements it, with a caller for it alone, in call order.

    Asked alone, a plug-in that raises does not silence the others, and its answer can be filed under its name.
    """
    plugins = [(name, manager.get_plugin(name)) for name in config.enabled]
    callers = [
        (name, manager.subset_hook_caller(hook, [other for _, other in plugins if other is not plugin]))
        for name, plugin in plugins
    ]
    return [(name, caller) for name, caller in callers if caller.get_hookimpls()]


def declared_parameters(
    manager: pluggy.PluginManager,
    config: PluginsConfig,
    find: Callable[[], Mapping[str, InstalledPlugin]] = installed,
) -> list[tuple[str, list[Parameter]]]:
    """The request parameters that each plug-in declares, with their owner in words. Raises PluginError."""
    available = find()
    groups = []
    for name, caller in each_alone(manager, config, "midspan_parameters"):
        try:
            declared = [parameter for answer in caller() for parameter in answer]
            if not all(isinstance(parameter, Parameter) for parameter in declared):
                raise TypeError(f"expected a list of Parameter, got {declared!r:.200}")
        except Exception as error:
            reason = f"cannot declare its parameters: {type(error).__name__}: {error}"
            raise PluginError(name, available[name].distribution, reason) from error
        groups.append((f"plug-in {name!r}", declared))
    return groups


def close(manager: pluggy.PluginManager) -> None:
    """Close every plug-in; one that fails is logged and does not keep the others open."""
    for plugin in manager.get_plugins():
        others = [other for other in manager.get_plugins() if other is not plugin]
        try:
            manager.subset_hook_caller("midspan_close", others)()
        except Exception:
            log.exception("plug-in %r failed in midspan_close", manager.get_name(plugin))


def hooks_of(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """The hooks that a registered plug-in implements, in the order in which the hookspecs stand."""
    callers = manager.get_hookcallers(plugin) or []
    implemented = {caller.name for caller in callers}
    return [name for name in vars(hookspecs) if name in implemented]


def whose_fault(error: BaseException, caller: pluggy.HookCaller) -> PluginFailedError:
    """What to answer when a hook raised something unexpected. Its frame in the traceback tells whose hook it was."""
    codes = {
        getattr(inspect.unwrap(impl.function), "__code__", None): impl.plugin_name for impl in caller.get_hookimpls()
    }
    reason = f"{type(error).__name__}: {error}"[:500]
    return PluginFailedError(
        next((codes[c] for c in _codes(error.__traceback__) if c in codes), "?"), caller.name, reason
    )


def _codes(traceback: types.TracebackType | None) -> Iterable[types.CodeType]:
    while traceback:
        yield traceback.tb_frame.f_code
        traceback = traceback.tb_next


def _register(manager: pluggy.PluginManager, plugin: InstalledPlugin) -> None:
    def wrong(reason: str) -> PluginError:
        return PluginError(plugin.name, plugin.distribution, reason)

    try:
        instance: Any = plugin.entry_point.load()()
    except Exception as error:  # a stranger's import and constructor can raise anything
        told = f"{type(error).__name__}: {error}"
        raise wrong(f"cannot be loaded from {plugin.entry_point.value}: {told}") from error
    misspelt = [name for name in dir(instance) if name.startswith("midspan_") and not hasattr(manager.hook, name)]
    if misspelt:
        known = ", ".join(name for name in vars(hookspecs) if name.startswith("midspan_"))
        raise wrong(f"has {misspelt[0]!r}, which is no hook; hooks are {known}")
    try:
        manager.register(instance, plugin.name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise wrong(f"does not keep the hooks' contract: {' '.join(str(error).split())}") from error
    for caller in manager.get_hookcallers(instance) or []:
        for impl in caller.get_hookimpls():
            if impl.plugin is instance and impl.kwargnames:
                # pluggy would silently never pass it
                raise wrong(f"{caller.name} gives its argument {impl.kwargnames[0]!r} a default value; remove it")
