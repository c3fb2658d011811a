"""gRPC through tritonclient, where it is installed. Triton only."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from midspan.wire import INPUT_PAYLOAD, MODEL_NAME, OUTPUT_REPORT
from midspan_client.dialects import Parameters, error_of_status, parse_json
from midspan_client.dialects.triton import coded_text
from midspan_client.errors import (
    ConnectError,
    MidspanClientError,
    ProtocolError,
    RequestRefusedError,
    RequestTimeoutError,
    UnavailableError,
    UsageError,
    WrongServerError,
)
from midspan_client.transport.http import MAX_ANSWER_BYTES, MAX_IDLE
from midspan_client.url import Endpoint

__all__ = ["GrpcWire"]

_STATUS: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}

_TRITON_UNAVAILABLE: Final = ("maximum queue size", "is not ready", "version not ready", "server is stopping")
"""What Triton itself says with UNAVAILABLE: its queue is full, a model is not ready, it stops. A broken channel has the
same status, and gRPC does not tell whose word it is."""


class GrpcWire:
    """Keeps one tritonclient per concurrent exchange: that library does not promise to be thread-safe.

    Raises UsageError in the constructor where tritonclient is not installed.
    """

    def __init__(
        self, endpoint: Endpoint, *, token: str | None, secure: bool, ca_file: str | None, timeout_s: float
    ) -> None:
        try:
            import numpy as np
            import tritonclient.grpc as tritonclient
        except ImportError as error:
            raise UsageError(f"gRPC needs {error.name}; install midspan[grpc]") from error
        self._np, self._tritonclient = np, tritonclient
        self._endpoint, self._secure, self._ca_file, self._timeout_s = endpoint, secure, ca_file, timeout_s
        self._headers = {"authorization": f"Bearer {token}"} if token is not None else None
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False

    def exchange(
        self, payload: bytes, parameters: Parameters, *, idempotent: bool = True
    ) -> tuple[Mapping[str, Any], float]:
        """One unary call, idempotent or not: gRPC itself repeats only what no server has begun to process."""
        grpc = self._tritonclient
        tensor = grpc.InferInput(INPUT_PAYLOAD, [1, len(payload)], "UINT8")
        tensor.set_data_from_numpy(self._np.frombuffer(payload, self._np.uint8).reshape(1, -1))
        client, connect_s = self._take()
        try:
            result = client.infer(
                MODEL_NAME,
                [tensor],
                outputs=[grpc.InferRequestedOutput(OUTPUT_REPORT)],
                client_timeout=self._timeout_s,
                headers=self._headers,
                parameters=dict(parameters),
            )
            report = result.as_numpy(OUTPUT_REPORT)
        except Exception as error:
            explained = self._explained(error)
            if isinstance(explained, RequestRefusedError | UnavailableError):
                self._give_back(client)  # an answer like any other
            else:
                client.close()
            raise explained from error
        self._give_back(client)
        if report is None or report.size != 1:
            raise ProtocolError(f"the answer must have one element in its output {OUTPUT_REPORT!r}")
        return parse_json(bytes(report.reshape(-1)[0]), "the report"), connect_s

    def close(self) -> None:
        """Close what is idle; calls under way close theirs at their end."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for client in idle:
            client.close()

    def _take(self) -> tuple[Any, float]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), 0.0
        started = time.perf_counter()
        client = self._tritonclient.InferenceServerClient(
            f"{self._endpoint.host}:{self._endpoint.port}",
            ssl=self._secure,
            root_certificates=self._ca_file,
            channel_args=[
                ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
                ("grpc.max_send_message_length", 2**31 - 1),
            ],
        )
        try:
            client.is_server_live(headers=self._headers, client_timeout=self._timeout_s)  # opens the connection now
        except Exception as error:
            client.close()
            raise self._explained(error) from error
        return client, time.perf_counter() - started

    def _give_back(self, client: Any) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < MAX_IDLE:
                self._idle.append(client)
                return
        client.close()

    def _explained(self, error: Exception) -> MidspanClientError:
        where = self._endpoint
        if not isinstance(error, self._tritonclient.InferenceServerException):
            return ProtocolError(f"{where}: {type(error).__name__}: {error}"[:300])
        message = str(error.message())
        kind = str(error.status()).rpartition(".")[2]
        code, text = coded_text(message)
        if kind == "DEADLINE_EXCEEDED":
            return RequestTimeoutError(f"{where}: no answer within {self._timeout_s:g} s")
        if "http1" in message.lower() or "http/1" in message.lower():
            return WrongServerError(0, "", f"{where} does not speak gRPC: an HTTP port?")
        if kind == "UNAVAILABLE" and not code and not any(sign in text.lower() for sign in _TRITON_UNAVAILABLE):
            return ConnectError(f"{where}: {text[:300]}")
        if kind == "UNIMPLEMENTED" and not code:
            return WrongServerError(501, "", f"{where} speaks gRPC, but not Triton's")
        return error_of_status(_STATUS.get(kind, 500), code, text)
