"""How each host is spoken to: which message asks for what, and what its answers mean.

Written from the hosts' own protocols and Midspan's documents, independent of the SDK on purpose: two readers of one
contract that agree say more than one that is asked twice.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from midspan_conformance.exchange import Message, Reply

__all__ = ["HOSTS", "Answer", "Host", "TorchServe", "Triton"]

MODEL = "midspan"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, read. A refusal has `code` ("" where the host itself refused) and `message`; an answer has `report`."""

    status: int
    report: Mapping[str, Any] | None = None
    scores: Sequence[float] | None = None
    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        if self.report is not None:
            return f"status {self.status} with a report"
        return f"status {self.status} [{self.code}] {self.message[:200]}"


class Host(Protocol):
    """A kind of server."""

    name: str

    def health(self) -> Message:
        """Ask whether the model is ready; status 200 says yes."""
        ...

    def metadata(self) -> Message | None:
        """Ask for the model's interface; None where the host has no such thing."""
        ...

    def metadata_fault(self, reply: Reply) -> str:
        """What is wrong with the interface, or ""."""
        ...

    def classify(self, payload: bytes, parameters: Mapping[str, object], *, scores: bool = False) -> Message:
        """Options the host's own way; with `scores`, ask for the scores of all classes too."""
        ...

    def classify_by_headers(self, payload: bytes, headers: Mapping[str, str]) -> Message:
        """The body is the payload and nothing else, options are `x-midspan-*` headers: what curl can send."""
        ...

    def read(self, reply: Reply) -> Answer:
        """Raises ValueError or LookupError for an answer that breaks the contract."""
        ...


class Triton:
    """NVIDIA Triton: the Open Inference Protocol with its binary extension and forwarded headers."""

    name = "triton"
    _path = f"/v2/models/{MODEL}"

    def health(self) -> Message:
        """See Host."""
        return Message("GET", f"{self._path}/ready")

    def metadata(self) -> Message | None:
        """See Host."""
        return Message("GET", self._path)

    def metadata_fault(self, reply: Reply) -> str:
        """See Host."""
        wanted = {"payload": "UINT8", "scores": "FP32", "report": "BYTES"}
        document = json.loads(reply.body)
        found = {tensor["name"]: tensor["datatype"] for tensor in [*document["inputs"], *document["outputs"]]}
        return "" if found == wanted else f"tensors are {found}, required are {wanted}"

    def classify(self, payload: bytes, parameters: Mapping[str, object], *, scores: bool = False) -> Message:
        """See Host."""
        tensor = {"name": "payload", "datatype": "UINT8", "shape": [1, len(payload)]}
        outputs = ["report", "scores"] if scores else ["report"]
        head = json.dumps(
            {
                "inputs": [{**tensor, "parameters": {"binary_data_size": len(payload)}}],
                "outputs": [{"name": name} for name in outputs],
                "parameters": dict(parameters),
            }
        ).encode()
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        return Message("POST", f"{self._path}/infer", headers, head + payload)

    def classify_by_headers(self, payload: bytes, headers: Mapping[str, str]) -> Message:
        """See Host."""
        raw = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": "0"}
        return Message("POST", f"{self._path}/infer", {**raw, **headers}, payload)

    def read(self, reply: Reply) -> Answer:
        """See Host."""
        if reply.status != 200:
            text = str(json.loads(reply.body)["error"])
            code, bracket, rest = text.removeprefix("[").partition("] ")
            ours = text.startswith("[") and bracket
            return Answer(reply.status, code=code if ours else "", message=rest if ours else text)
        outputs = _outputs(reply)
        return Answer(200, json.loads(outputs["report"][0]), outputs.get("scores"))


class TorchServe:
    """TorchServe: `/predictions`, JSON answers."""

    name = "torchserve"

    def health(self) -> Message:
        """See Host."""
        return Message("GET", "/ping")

    def metadata(self) -> Message | None:
        """It tells a model's interface on its management port alone, which is not the callers'."""
        return None

    def metadata_fault(self, reply: Reply) -> str:
        """See Host."""
        return ""

    def classify(self, payload: bytes, parameters: Mapping[str, object], *, scores: bool = False) -> Message:
        """See Host."""
        told = {**parameters, "scores": True} if scores else parameters
        headers = {f"x-midspan-{name.replace('_', '-')}": _header(value) for name, value in told.items()}
        return self.classify_by_headers(payload, headers)

    def classify_by_headers(self, payload: bytes, headers: Mapping[str, str]) -> Message:
        """See Host."""
        raw = {"Content-Type": "application/octet-stream", "Content-Length": str(len(payload))}
        return Message("POST", f"/predictions/{MODEL}", {**raw, **headers}, payload)

    def read(self, reply: Reply) -> Answer:
        """See Host."""
        if reply.status == 413 and not reply.body:
            return Answer(413, message="Content Too Large")  # the host's own, without a word
        document = json.loads(reply.body)
        if reply.status == 200:
            return Answer(200, document, document.get("scores"))
        error = document.get("error")
        if isinstance(error, Mapping):
            return Answer(reply.status, code=str(error["code"]), message=str(error["message"]))
        return Answer(reply.status, message=str(document["message"]))  # the host's own words


HOSTS: Mapping[str, type[Host]] = {"triton": Triton, "torchserve": TorchServe}


def _header(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _outputs(reply: Reply) -> dict[str, list[Any]]:
    """Triton's output tensors by name, whether they ride in the JSON or behind it."""
    head_bytes = int(reply.headers.get("inference-header-content-length", len(reply.body)))
    rest = memoryview(reply.body)[head_bytes:]
    outputs: dict[str, list[Any]] = {}
    for tensor in json.loads(reply.body[:head_bytes])["outputs"]:
        size_bytes = tensor.get("parameters", {}).get("binary_data_size")
        if size_bytes is None:
            outputs[tensor["name"]] = tensor["data"]
            continue
        part, rest = rest[:size_bytes], rest[size_bytes:]
        if tensor["datatype"] == "BYTES":  # a length of four bytes, then the text
            outputs[tensor["name"]] = [bytes(part[4 : 4 + struct.unpack_from("<I", part)[0]])]
        else:
            outputs[tensor["name"]] = list(struct.unpack(f"<{size_bytes // 4}f", part))
    return outputs
