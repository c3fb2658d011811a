"""Triton: the Open Inference Protocol over HTTP with its binary tensor extension."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from midspan.wire import INPUT_PAYLOAD, MODEL_NAME, OUTPUT_REPORT
from midspan_client.dialects import STRANGE, HttpRequest, Parameters, error_of_status, parse_json
from midspan_client.errors import MidspanClientError, ProtocolError, WrongServerError
from midspan_client.transport import Reply

__all__ = ["TritonDialect", "coded_text"]

_LENGTH: Final = "Inference-Header-Content-Length"
_CODED: Final = re.compile(r"^\[([a-z0-9_]{1,64})\] (.*)", re.DOTALL)
_NO_SUCH_PATH: Final = ("Not Found", "Method Not Allowed")
"""What Triton's own metrics port says; its inference port names the model that it lacks."""
_OUTPUTS: Final = [{"name": OUTPUT_REPORT, "parameters": {"binary_data": True}}]


class TritonDialect:
    """The payload is a UINT8 tensor of shape (1, bytes), the report a BYTES tensor of one element."""

    def encode(self, payload: bytes, parameters: Parameters) -> HttpRequest:
        """A JSON head, then the raw bytes."""
        size = len(payload)
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": INPUT_PAYLOAD,
                        "shape": [1, size],
                        "datatype": "UINT8",
                        "parameters": {"binary_data_size": size},
                    }
                ],
                "outputs": _OUTPUTS,
                "parameters": dict(parameters),
            }
        ).encode()
        headers = {"Content-Type": "application/octet-stream", _LENGTH: str(len(head))}
        return HttpRequest(f"/v2/models/{MODEL_NAME}/infer", headers, head + payload)

    def decode(self, reply: Reply) -> Mapping[str, Any]:
        """The report out of the binary part."""
        if reply.status != 200:
            raise self._error(reply)
        length = reply.headers.get(_LENGTH.lower())
        size = len(reply.body)
        if length is not None and not (length.isascii() and length.isdigit() and int(length[:12]) <= size):
            raise ProtocolError(f"the answer's head must have at most {size} bytes, got {length[:20]!r}")
        split = int(length) if length is not None else size
        head = parse_json(reply.body[:split], "the answer's head")
        if "outputs" not in head:
            raise WrongServerError(200, "", "what answers there is not Triton: its answer has no outputs")
        return parse_json(_report_of(head, reply.body[split:]), "the report")

    def _error(self, reply: Reply) -> MidspanClientError:
        try:
            error = parse_json(reply.body, "the error").get("error")
        except ProtocolError:
            error = None
        foreign = not isinstance(error, str) or error in _NO_SUCH_PATH
        if foreign and reply.status in STRANGE:
            return WrongServerError(
                reply.status,
                "",
                f"what answers there is not Triton's HTTP port: status {reply.status} without Triton's reason; "
                f"is it TorchServe, or Triton's metrics port?",
            )
        code, text = coded_text(error if isinstance(error, str) else reply.body[:200].decode("utf-8", "replace"))
        return error_of_status(reply.status, code, text)


def coded_text(message: str) -> tuple[str, str]:
    """Midspan's code and text of ``[code] text``; the code is "" where Triton itself speaks."""
    match = _CODED.match(message)
    return (match[1], match[2]) if match else ("", message)


def _report_of(head: Mapping[str, Any], binary: bytes) -> bytes:
    """The one element of the report, wherever it lies among the outputs."""
    outputs = head["outputs"]
    offset = 0
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            break
        details = output.get("parameters")
        size = details.get("binary_data_size", 0) if isinstance(details, dict) else 0
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary) - offset:
            raise ProtocolError(f"output {str(output.get('name'))[:50]!r} says a size that the answer does not have")
        if output.get("name") == OUTPUT_REPORT:
            return _element(output, binary[offset : offset + size])
        offset += size
    raise ProtocolError(f"the answer has no output {OUTPUT_REPORT!r}")


def _element(output: Mapping[str, Any], raw: bytes) -> bytes:
    """BYTES tensors: each element is its length in 4 bytes, little-endian, then itself."""
    data = output.get("data")
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str):
        return data[0].encode("utf-8", "surrogatepass")
    if len(raw) < 4 or int.from_bytes(raw[:4], "little") != len(raw) - 4:
        raise ProtocolError(f"the report must be one BYTES element, got {len(raw)} bytes that say otherwise")
    return raw[4:]
