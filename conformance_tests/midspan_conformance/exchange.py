"""One HTTP exchange, by the standard library."""

from __future__ import annotations

import contextlib
import http.client
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Connection", "Exchange", "Message", "NoAnswerError", "Reply"]

MAX_ANSWER_BYTES = 64 * 2**20


class NoAnswerError(Exception):
    """The server cannot be reached, is silent, or broke off."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `path` starts with a slash."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def start(self, limit: int = 200) -> str:
        """The first bytes of the body as one line of text."""
        return " ".join(self.body[:limit].decode("utf-8", "replace").split())


class Connection:
    """One connection to the server, kept open from message to message; not thread-safe."""

    def __init__(self, http_connection: http.client.HTTPConnection) -> None:
        self._http = http_connection

    def send(self, message: Message) -> Reply:
        """Send and wait for the whole answer. Raises NoAnswerError."""
        try:
            self._http.request(message.method, message.path, message.body or None, dict(message.headers))
            answer = self._http.getresponse()
            body = answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            told = str(error) or type(error).__name__
            raise NoAnswerError(f"{message.method} {message.path}: no complete answer: {told}") from error
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where messages go. `token` is sent as a bearer token with each of them, unless it is empty. Thread-safe."""

    url: str
    timeout_s: float = 30.0
    token: str = field(default="", repr=False)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open one connection for several messages, and close it. Raises NoAnswerError."""
        parts = urllib.parse.urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        http_connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s)
        try:
            http_connection.connect()
            http_connection.auto_open = 0  # a server that closes it must not get a second one unseen
            yield Connection(http_connection)
        except OSError as error:
            raise NoAnswerError(f"no connection to {self.url}: {error}") from error
        finally:
            http_connection.close()

    def send(self, message: Message) -> Reply:
        """Send one message on a connection of its own. Raises NoAnswerError."""
        with self.connection() as connection:
            return connection.send(self.signed(message))

    def signed(self, message: Message) -> Message:
        """The message with the token and the URL's own path."""
        base = urllib.parse.urlsplit(self.url).path.rstrip("/")
        headers = {**message.headers, "Authorization": f"Bearer {self.token}"} if self.token else message.headers
        return replace(message, path=base + message.path, headers=headers)
