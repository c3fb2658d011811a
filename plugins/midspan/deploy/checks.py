"""What must be so before a server starts or a worker loads; each check raises ConfigError with the one reason."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from midspan.errors import ConfigError

__all__ = ["check_numpy", "check_ports"]


def check_numpy(version: str) -> None:
    """Refuse numpy 2 in a Triton model's Python.

    Triton's Python backend is built against numpy 1: with numpy 2 each input arrives as its first element repeated and
    each output leaves empty, with status 200.
    """
    if int(version.split(".", 1)[0]) >= 2:
        raise ConfigError(
            f"Triton's Python backend garbles tensors with numpy {version}; the model's Python needs numpy below 2"
        )


def check_ports(host: str, ports: Mapping[str, int]) -> None:
    """Refuse ports that are taken, or named twice. `ports` maps the option's name to the port."""
    for name, port in ports.items():
        others = [other for other, value in ports.items() if value == port and other != name]
        if others:
            raise ConfigError(f"server.{name} and server.{others[0]} are both {port}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
            try:
                probe.bind((host, port))
            except OSError as error:
                reason = error.strerror or str(error)
                raise ConfigError(f"cannot listen on {host}:{port} (server.{name}): {reason}") from error
