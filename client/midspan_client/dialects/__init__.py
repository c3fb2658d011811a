"""How each server wants to be spoken to over HTTP: a call becomes a request, a reply becomes a report or an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from midspan_client.errors import (
    MidspanClientError,
    ProtocolError,
    RequestRefusedError,
    ServerFaultError,
    UnavailableError,
)
from midspan_client.transport import Reply

__all__ = ["STRANGE", "Dialect", "HttpRequest", "Parameters", "error_of_status", "parse_json"]

Parameters: TypeAlias = Mapping[str, bool | int | float | str]
MAX_TEXT = 1000
_DEAD_WORKER: Final = ("is not healthy", "worker died")
"""What Triton and TorchServe say with status 500 when a worker process is gone: another one may answer."""
STRANGE: Final = (400, 404, 405, 501)
"""Statuses that a server answers to a request of another server's; others may be a proxy's between us."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Dialect(Protocol):
    """Both directions of one server's HTTP."""

    def encode(self, payload: bytes, parameters: Parameters) -> HttpRequest:
        """The request for one inference or control. Raises UsageError for what cannot be said."""

    def decode(self, reply: Reply) -> Mapping[str, Any]:
        """The report. Raises ServerError's children and ProtocolError; never anything else."""


def error_of_status(status: int, code: str, text: str) -> MidspanClientError:
    """The typed error of a status that is not 200."""
    text = text[:MAX_TEXT]
    if 400 <= status < 500:
        return RequestRefusedError(status, code, text)
    if status == 503:
        return UnavailableError(status, code, text, retryable=True)
    if 500 <= status < 600:
        dead = any(sign in text.lower() for sign in _DEAD_WORKER)
        return ServerFaultError(status, code, text, retryable=dead)
    return ProtocolError(
        f"the server answered with status {status}, which no Midspan server does (redirects are not followed)"
    )


def parse_json(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises ProtocolError for anything else."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:  # wrong encodings are ValueErrors too
        raise ProtocolError(f"{what} is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} must be a JSON object, got {type(value).__name__}")
    return value
