"""The one seam to the network: a transport sends one HTTP request and brings back one reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Reply", "Transport"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers (names in lower case), body; and the seconds that went into opening a connection for it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connect_s: float = 0.0


class Transport(Protocol):
    """Sends requests, from several threads at the same time.

    It adds what belongs to the connection (host, length) and follows no redirect, so that no token travels on.
    """

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, idempotent: bool = True
    ) -> Reply:
        """One exchange. Raises ConnectError, RequestTimeoutError, WrongServerError or ProtocolError.

        Nothing is sent twice, with one exception: an `idempotent` request on a kept connection that the server closed
        before any byte of an answer.
        """

    def close(self) -> None:
        """Drop all connections; a second call does nothing."""
