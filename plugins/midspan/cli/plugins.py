"""`midspan plugins`: what is installed, what is enabled, and which hooks each implements, in call order."""

from __future__ import annotations

import argparse
import json
from importlib.metadata import entry_points
from typing import Any

from midspan.config import Config, PluginsConfig

ROUTES_GROUP = "midspan.routes"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("plugins", help="list installed and enabled plug-ins and their hooks")
    parser.add_argument("--config", metavar="FILE", help="midspan.toml; without it, nothing counts as enabled")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import the enabled plug-ins, and no others, and print what there is."""
    rows = rows_of(Config.from_toml(args.config).plugins if args.config else PluginsConfig(()))
    routes = sorted((entry.name, entry.dist.name if entry.dist else "?") for entry in entry_points(group=ROUTES_GROUP))
    if args.json:
        print(json.dumps({"plugins": rows, "route_providers": [{"name": n, "distribution": d} for n, d in routes]}))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Plug-ins on the server, in the order in which they are asked")
    for heading in ("plug-in", "distribution", "asked", "hooks"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        asked = str(row["order"]) if row["enabled"] else "not enabled"
        table.add_row(row["name"], row["distribution"], asked, "\n".join(row["hooks"]))
    devices = Table("route provider", "distribution", title="Route providers on the device")
    for name, distribution in routes:
        devices.add_row(name, distribution)
    console = Console()
    console.print(table)
    console.print(devices)
    return 0


def rows_of(config: PluginsConfig) -> list[dict[str, Any]]:
    """One row per installed plug-in: the enabled ones first, in call order, with their hooks."""
    from midspan import manager

    available = manager.installed()
    built = manager.build_manager(config)
    others = sorted(set(available) - set(config.enabled))
    return [
        {
            "name": name,
            "distribution": available[name].distribution,
            "enabled": name in config.enabled,
            "order": order if name in config.enabled else None,
            "hooks": manager.hooks_of(built, built.get_plugin(name)) if name in config.enabled else [],
        }
        for order, name in enumerate([*config.enabled, *others], start=1)
    ]
