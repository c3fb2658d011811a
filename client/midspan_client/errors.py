"""Every error that the SDK raises on purpose, and whose fault it is.

::

    MidspanClientError
    ├── UsageError              the app's: an argument that cannot work; also a ValueError
    ├── NetworkError            the network's: nobody can tell whether the server saw the request
    │   ├── ConnectError            no connection, or it broke before the answer was complete
    │   └── RequestTimeoutError     no answer in time
    ├── ServerError             the server answered, and said no: `status`, `code`, `text`
    │   ├── RequestRefusedError     400..499: sending the same again will fail again
    │   ├── UnavailableError        503: overloaded, not ready, going down; may succeed later
    │   ├── ServerFaultError        any other 5xx
    │   └── WrongServerError        something answers there, but not the server that the client was told of
    └── ProtocolError           the answer cannot be understood

`retryable` says whether the same call may succeed at once; `attempts` how often it was tried. All survive pickling.
"""

from __future__ import annotations

__all__ = [
    "ConnectError",
    "MidspanClientError",
    "NetworkError",
    "ProtocolError",
    "RequestRefusedError",
    "RequestTimeoutError",
    "ServerError",
    "ServerFaultError",
    "UnavailableError",
    "UsageError",
    "WrongServerError",
]


class MidspanClientError(Exception):
    """The root of the tree."""

    retryable: bool = False
    attempts: int = 1


class UsageError(MidspanClientError, ValueError):
    """An argument that cannot work, whatever the server says; nothing was sent."""


class NetworkError(MidspanClientError):
    """The exchange did not come to its end."""


class ConnectError(NetworkError):
    """No connection could be made, or it broke before the answer was complete."""

    retryable = True


class RequestTimeoutError(NetworkError):
    """No answer in time. Not tried again: the caller's time is used up."""


class ServerError(MidspanClientError):
    """The server said no. `code` is a stable slug such as "bad_payload", or "" where a host answered by itself."""

    def __init__(self, status: int, code: str, text: str, *, retryable: bool = False) -> None:
        super().__init__(status, code, text)
        self.status = status
        self.code = code
        self.text = text
        self.retryable = retryable

    def __str__(self) -> str:
        code = f" [{self.code}]" if self.code else ""
        return f"the server answered {self.status}{code}: {self.text}"


class RequestRefusedError(ServerError):
    """Status 400 to 499: the request is at fault, and `text` says why."""


class UnavailableError(ServerError):
    """Status 503: the server is overloaded, not ready yet, or going down."""


class ServerFaultError(ServerError):
    """Status 500 to 599 but 503: the server's own fault."""


class WrongServerError(ServerError):
    """Something answers at this address, but it is not what the client was told to expect there."""

    def __str__(self) -> str:
        return self.text


class ProtocolError(MidspanClientError):
    """The answer is not what the protocol says: truncated, too large, or not Midspan's."""
