"""TorchServe: the body is the payload, parameters are headers, the answer is JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from midspan.wire import MODEL_NAME, header_name
from midspan_client.dialects import STRANGE, HttpRequest, Parameters, error_of_status, parse_json
from midspan_client.errors import MidspanClientError, ProtocolError, UsageError, WrongServerError
from midspan_client.transport import Reply

__all__ = ["TorchServeDialect"]

_OTHER_PORT: Final = ("ResourceNotFoundException", "MethodNotAllowedException")
"""What TorchServe's management and metrics ports answer to a prediction."""
_NO_KEY: Final = "InvalidKeyException"
"""TorchServe's own word for a missing or wrong token; it answers 400, where HTTP has 401 for it."""


UNAUTHORIZED: Final = 401


class TorchServeDialect:
    """POST /predictions/midspan."""

    def encode(self, payload: bytes, parameters: Parameters) -> HttpRequest:
        """One `x-midspan-*` header for each parameter."""
        headers = {"Content-Type": "application/octet-stream"}
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if not text.isascii() or not text.isprintable():
                raise UsageError(f"parameter {name!r} must be printable ASCII for TorchServe, got {text[:50]!r}")
            headers[header_name(name)] = text
        return HttpRequest(f"/predictions/{MODEL_NAME}", headers, payload)

    def decode(self, reply: Reply) -> Mapping[str, Any]:
        """The body is the report."""
        if reply.status != 200:
            raise self._error(reply)
        return parse_json(reply.body, "the answer")

    def _error(self, reply: Reply) -> MidspanClientError:
        try:
            body = parse_json(reply.body, "the error")
        except ProtocolError:
            body = {}
        error = body.get("error")
        if isinstance(error, dict):  # Midspan's own
            return error_of_status(reply.status, _text(error.get("code"))[:64], _text(error.get("message")))
        if "type" in body and "message" in body:  # TorchServe's own
            if body["type"] in _OTHER_PORT:
                text = "TorchServe answers there, but this port serves no predictions; is it the management port?"
                return WrongServerError(reply.status, "", text)
            status = UNAUTHORIZED if body["type"] == _NO_KEY else reply.status
            return error_of_status(status, "", _text(body["message"]))
        if reply.status in STRANGE:
            return WrongServerError(
                reply.status,
                "",
                f"what answers there is not TorchServe: status {reply.status} and not TorchServe's form of an error; "
                f"is it Triton?",
            )
        return error_of_status(reply.status, "", reply.body[:200].decode("utf-8", "replace"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
