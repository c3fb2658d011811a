"""From a configuration to a set of loaded plug-ins, or to one error that says which plug-in is wrong and why."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from midspan import hookspecs
from midspan.config import PluginsConfig
from midspan.errors import ConfigError, PluginError, PluginFailedError
from midspan.types import Context

__all__ = ["GROUP", "InstalledPlugin", "build_manager", "configure", "hooks_of", "installed", "whose_fault"]

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
    config: PluginsConfig, find: Callable[[], dict[str, InstalledPlugin]] = installed
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
    find: Callable[[], dict[str, InstalledPlugin]] = installed,
) -> None:
    """Give every plug-in its own options, in the order of `enabled`. Raises PluginError."""
    available = find()
    plugins = [manager.get_plugin(name) for name in config.enabled]
    for name, plugin in zip(config.enabled, plugins, strict=True):
        others = [other for other in plugins if other is not plugin]
        caller = manager.subset_hook_caller("midspan_configure", remove_plugins=others)
        implemented = any(impl.plugin is plugin for impl in caller.get_hookimpls())
        if config.options.get(name) and not implemented:
            raise PluginError(name, available[name].distribution, "takes no options")
        try:
            caller(options=config.options.get(name, {}), context=context)
        except Exception as error:
            raise PluginError(name, available[name].distribution, f"rejects its options: {error}") from error


def hooks_of(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """The hooks that a registered plug-in implements, in the order in which the hookspecs stand."""
    callers = manager.get_hookcallers(plugin) or []
    implemented = {caller.name for caller in callers}
    return [name for name in vars(hookspecs) if name in implemented]


def whose_fault(error: BaseException, caller: pluggy.HookCaller) -> PluginFailedError:
    """What to answer when a hook raised something unexpected: names the plug-in, found by its frame in the traceback."""
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
    def fail(reason: str, cause: Exception) -> PluginError:
        error = PluginError(plugin.name, plugin.distribution, reason)
        error.__cause__ = cause
        return error

    try:
        instance: Any = plugin.entry_point.load()()
    except Exception as error:  # a stranger's import and constructor can raise anything
        raise fail(
            f"cannot be loaded from {plugin.entry_point.value}: {type(error).__name__}: {error}", error
        ) from error
    misspelt = [name for name in dir(instance) if name.startswith("midspan_") and not hasattr(manager.hook, name)]
    if misspelt:
        known = ", ".join(name for name in vars(hookspecs) if name.startswith("midspan_"))
        reason = f"has {misspelt[0]!r}, which is no hook; hooks are {known}"
        raise PluginError(plugin.name, plugin.distribution, reason)
    try:
        manager.register(instance, plugin.name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise fail(f"does not keep the hooks' contract: {' '.join(str(error).split())}", error) from error
