"""How a call gets to the server and its report back, whatever the protocol."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from midspan_client.dialects import Dialect, Parameters
from midspan_client.dialects.torchserve import TorchServeDialect
from midspan_client.dialects.triton import TritonDialect
from midspan_client.errors import UsageError
from midspan_client.transport import Transport
from midspan_client.transport.http import HttpTransport
from midspan_client.url import Endpoint

__all__ = ["HttpWire", "Server", "Wire", "open_wire"]

Server: TypeAlias = Literal["triton", "torchserve"]
_DIALECTS: Final[Mapping[str, Callable[[], Dialect]]] = {"triton": TritonDialect, "torchserve": TorchServeDialect}


class Wire(Protocol):
    """One exchange at a time and thread; several threads at the same time."""

    def exchange(
        self, payload: bytes, parameters: Parameters, *, idempotent: bool = True
    ) -> tuple[Mapping[str, Any], float]:
        """The report, and the seconds that went into opening a connection. Raises a MidspanClientError.

        `idempotent` as for `midspan_client.transport.Transport.send`.
        """

    def close(self) -> None:
        """Drop all connections; a second call does nothing."""


class HttpWire:
    """A dialect over a transport. `token` goes as ``Authorization: Bearer`` with every request."""

    def __init__(self, transport: Transport, dialect: Dialect, token: str | None = None) -> None:
        self._transport = transport
        self._dialect = dialect
        self._authorization = {"Authorization": f"Bearer {token}"} if token is not None else {}

    def exchange(
        self, payload: bytes, parameters: Parameters, *, idempotent: bool = True
    ) -> tuple[Mapping[str, Any], float]:
        """Encode, send, decode."""
        request = self._dialect.encode(payload, parameters)
        headers = {**request.headers, **self._authorization}
        reply = self._transport.send("POST", request.path, headers, request.body, idempotent=idempotent)
        return self._dialect.decode(reply), reply.connect_s

    def close(self) -> None:
        """Drop all connections."""
        self._transport.close()


def open_wire(
    endpoint: Endpoint,
    server: str,
    *,
    transport: Transport | Literal["http", "grpc"] | None,
    token: str | None,
    ca_file: str | None,
    timeout_s: float,
) -> Wire:
    """The wire for a client's arguments; nothing is sent yet. Raises UsageError."""
    if server not in _DIALECTS:
        raise UsageError(f"server must be one of {', '.join(_DIALECTS)}, got {server!r}")
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise UsageError("token must be printable ASCII without blanks")
    if transport == "grpc" or endpoint.scheme in ("grpc", "grpcs"):
        if server != "triton":
            raise UsageError("gRPC is for Triton")
        from midspan_client.transport.grpc import GrpcWire

        secure = endpoint.scheme in ("https", "grpcs")
        return GrpcWire(endpoint, token=token, secure=secure, ca_file=ca_file, timeout_s=timeout_s)
    if transport is None or isinstance(transport, str):
        if transport not in (None, "http"):
            raise UsageError(f"transport must be 'http', 'grpc' or an object with send and close, got {transport!r}")
        tls = _tls(ca_file) if endpoint.scheme == "https" else None
        transport = HttpTransport(endpoint, tls=tls, timeout_s=timeout_s)
    return HttpWire(transport, _DIALECTS[server](), token)


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"ca_file {ca_file!r} cannot be used: {error}") from error
