"""A real server on this machine for an experiment: its configuration, and how to warm it up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from midspan.config import Config
from midspan.deploy.ports import free_ports
from midspan.workbench.unchecked import UncheckedResizedProvider
from midspan_client import Client
from midspan_client.providers.original import OriginalProvider
from midspan_client.wires import Server

__all__ = ["local_config", "warm_up"]

WARM_UPS: Final = 6


def local_config(bundle: Path, scratch: Path) -> Config:
    """The plain plug-ins with this bundle, on free ports; what the host learns lies in `scratch`."""
    return Config.from_tables(
        {
            "plugins": {"enabled": ["preprocess", "onnxruntime"]},
            "family": {"bundle": str(bundle.resolve())},
            "server": free_ports(),
            "host": {"store": str(scratch / "host.sqlite")},
        }
    )


def warm_up(server: Server, url: str, photo: bytes) -> None:
    """Let every worker load what it loads late, or the first photos would teach a client a server that is not."""
    for provider in (OriginalProvider(), UncheckedResizedProvider()):
        with Client(url, server=server, providers=[provider]) as client:
            for _ in range(WARM_UPS):
                client.classify(photo)
