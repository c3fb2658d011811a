"""The routes that come with the SDK, and how any are found."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from midspan_client.provider import GROUP, RouteProvider

__all__ = ["find", "load"]

VERBS = ("enumerate", "predict", "execute", "learn")


def find() -> list[EntryPoint]:
    """All entry points of the group, sorted by name; nothing is imported."""
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def load(entries: Iterable[EntryPoint]) -> tuple[list[RouteProvider], list[str]]:
    """Make one provider of each entry point; those that fail are left out, with one text each that says why."""
    providers: list[RouteProvider] = []
    problems: list[str] = []
    for entry in entries:
        problem = _add(entry, providers)
        if problem:
            problems.append(problem)
    return providers, problems


def _add(entry: EntryPoint, providers: list[RouteProvider]) -> str:
    try:
        provider = entry.load()()
        missing = [verb for verb in VERBS if not callable(getattr(provider, verb, None))]
        if missing:
            raise TypeError(f"lacks {', '.join(missing)}")
        if provider.name in [other.name for other in providers]:
            raise ValueError(f"another provider is named {provider.name!r}")
    except Exception as error:  # a stranger's import and constructor can raise anything
        whose = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
        return f"provider {entry.name!r} of {whose}: {type(error).__name__}: {error}"[:500]
    providers.append(provider)
    return ""
