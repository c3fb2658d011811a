"""HTTP/1.1 by the standard library: kept connections, time limits, capped answers, TLS."""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from midspan_client.errors import ConnectError, MidspanClientError, ProtocolError, RequestTimeoutError, WrongServerError
from midspan_client.transport import Reply
from midspan_client.url import Endpoint

__all__ = ["MAX_ANSWER_BYTES", "MAX_IDLE", "HttpTransport", "UnansweredError"]

MAX_ANSWER_BYTES = 8 * 2**20
MAX_IDLE = 16
_CHUNK = 65_536
_HUNG_UP: Final = (ConnectionError, ssl.SSLEOFError)


class UnansweredError(ConnectError):
    """The server hung up before any byte of an answer."""


class HttpTransport:
    """Keeps connections open between requests and hands them out last in, first out.

    Args:
        endpoint: where to; see `midspan_client.url.Endpoint`.
        tls: for https: whom to trust; None is the system's own choice.
        timeout_s: bounds connecting, and then the exchange.
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._endpoint = endpoint
        self._tls = (tls or ssl.create_default_context()) if endpoint.scheme == "https" else None
        self._timeout_s = timeout_s
        self._clock = clock
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"HttpTransport({self._endpoint})"

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, idempotent: bool = True
    ) -> Reply:
        """One exchange; if idempotent, once more on a new connection where a kept one turns out to be dead."""
        path = self._endpoint.path + path
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, method, path, headers, body, 0.0)
            except UnansweredError:  # closed while it was idle, most likely; but nobody can tell
                if not idempotent:
                    raise
        started = self._clock()
        connection = self._connect()
        return self._exchange(connection, method, path, headers, body, self._clock() - started)

    def close(self) -> None:
        """Close what is idle; connections in use are closed when their exchange ends."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _take(self) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _readable(connection.sock):
                return connection
            connection.close()  # readable while idle: the server hung up

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        where = self._endpoint
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(where.host, where.port, timeout=self._timeout_s, context=self._tls)
        else:
            connection = http.client.HTTPConnection(where.host, where.port, timeout=self._timeout_s)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except Exception as error:
            connection.close()
            raise self._explained(error, "connect") from error
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        connect_s: float,
    ) -> Reply:
        connection.sock.settimeout(self._timeout_s)
        incoming = _Incoming(connection.sock, self._clock() + self._timeout_s, self._clock)
        connection.response_class = incoming.response  # type: ignore[assignment]  # a callable does as well
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answer = self._read(response)
        except MidspanClientError:
            connection.close()
            raise
        except Exception as error:
            connection.close()
            explained = self._explained(error, "answer")
            if isinstance(error, _HUNG_UP) and not incoming.bytes_read:
                explained = UnansweredError(str(explained))
            raise explained from error
        except BaseException:  # an interrupt: the connection is in the middle of an exchange
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._give_back(connection)
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, answer, connect_s)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        declared = response.length
        if declared is not None and declared > MAX_ANSWER_BYTES:
            raise ProtocolError(f"the answer declares {declared} bytes; at most {MAX_ANSWER_BYTES} are allowed")
        parts: list[bytes] = []
        size = 0
        while part := response.read1(_CHUNK):
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise ProtocolError(f"the answer has more than the {MAX_ANSWER_BYTES} bytes that are allowed")
            parts.append(part)
        if declared is not None and size < declared:
            raise ConnectError(f"{self._endpoint}: the answer ended after {size} of {declared} bytes")
        response.close()  # else the connection believes that it is still being read
        return b"".join(parts)

    def _explained(self, error: Exception, verb: str) -> MidspanClientError:
        """The typed error for what the standard library raised."""
        where = self._endpoint
        if isinstance(error, ssl.SSLCertVerificationError):
            return WrongServerError(0, "", f"{where}: the certificate is not trusted: {error.verify_message}")
        if isinstance(error, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
            return WrongServerError(0, "", f"{where} does not speak TLS; use an http:// URL")
        if isinstance(error, TimeoutError) and verb == "connect":
            unreachable = ConnectError(f"{where}: no connection within {self._timeout_s:g} s")
            unreachable.retryable = False  # the caller's time is used up
            return unreachable
        if isinstance(error, TimeoutError):
            return RequestTimeoutError(f"{where}: no complete {verb} within {self._timeout_s:g} s")
        if isinstance(error, http.client.RemoteDisconnected):
            return ConnectError(f"{where} closed the connection without an answer")
        if isinstance(error, http.client.BadStatusLine | http.client.UnknownProtocol):
            return WrongServerError(0, "", f"{where} does not speak HTTP/1.1: a gRPC or a TLS port?")
        if isinstance(error, http.client.HTTPException):
            return ProtocolError(f"{where}: the answer is not HTTP as it should be: {type(error).__name__}")
        if isinstance(error, OSError):
            return ConnectError(f"{where}: cannot {verb}: {error.strerror or error}")
        return ProtocolError(f"{where}: the answer cannot be read: {type(error).__name__}: {error}"[:300])


class _Incoming(io.RawIOBase):
    """What arrives on a socket until a deadline, so that a server cannot win time by trickling."""

    def __init__(self, sock: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
        self._sock, self._deadline, self._clock = sock, deadline, clock
        self._raw: io.RawIOBase | None = None
        self.bytes_read = 0

    def response(self, _: socket.socket, **arguments: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(self, **arguments)  # type: ignore[arg-type]  # it calls makefile alone

    def makefile(self, _: str) -> io.BufferedReader:
        # Not earlier: an open file keeps the socket open, and only a response closes it.
        self._raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        assert self._raw is not None
        size: int = self._raw.readinto(buffer) or 0
        self.bytes_read += size
        return size

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
        super().close()


def _readable(sock: socket.socket | None) -> bool:
    if sock is None:
        return True
    try:
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):  # closed, or a file descriptor too large for select
        return True
