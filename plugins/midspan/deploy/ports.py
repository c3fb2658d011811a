"""Ports that nobody listens on."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

__all__ = ["PORT_OPTIONS", "free_ports"]

PORT_OPTIONS = ("http_port", "grpc_port", "metrics_port", "management_port")


def free_ports() -> dict[str, Any]:
    """A free port (int) of the loopback for each port option of `[server]`; the operating system chooses them."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORT_OPTIONS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: int(one.getsockname()[1]) for name, one in zip(PORT_OPTIONS, sockets, strict=True)}
