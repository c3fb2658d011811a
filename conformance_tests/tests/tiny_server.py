"""A tiny server that keeps the contract, in either host's dialect; mutants of it break one thing each.

It shows no more than that the kit's checks can pass and can fail. What real servers do is tested with real servers.
"""

from __future__ import annotations

import json
import random
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

KINDS = {"variant": str, "control": str, "content_type": str, "id": str, "top_k": int, "scores": bool}
MAX_PIXELS = 50_000_000


class RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Brain:
    """What both dialects share. Every method is a place for a mutant to go wrong in."""

    ready_status = 200
    payload_datatype = "UINT8"
    closes_after_refusal = False
    max_payload_bytes = 100_000
    variants: ClassVar = {"small": 20, "large": 30}

    def infer(self, payload: bytes, raw: dict[str, Any]) -> tuple[dict[str, Any], list[float] | None]:
        parameters = self.check_parameters(raw)
        if parameters["control"]:
            return self.control(parameters["control"]), None
        self.check_payload(payload)
        name = self.choose(parameters["variant"])
        scores = self.score(payload, self.variants[name])
        return self.report(name, scores, parameters), scores

    def parameter_name(self, header: str) -> str | None:
        lowered = header.lower()
        return lowered.removeprefix("x-midspan-").replace("-", "_") if lowered.startswith("x-midspan-") else None

    def check_parameters(self, raw: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {"variant": "", "control": "", "id": "", "top_k": 5, "scores": False}
        for name, value in raw.items():
            if name not in KINDS:
                raise RefusedError(400, "bad_parameter", f"unknown parameter {name!r}")
            values[name] = self.check_parameter(name, value)
        return values

    def check_parameter(self, name: str, value: Any) -> Any:
        kind = KINDS[name]
        if kind is not str and isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise RefusedError(400, "bad_parameter", f"{name} cannot be {value!r}") from None
        if type(value) is not kind:
            raise RefusedError(400, "bad_parameter", f"{name} must be {kind.__name__}")
        self.check_range(name, value)
        return value

    def check_range(self, name: str, value: Any) -> None:
        if name == "top_k" and not 1 <= value <= 1000:
            raise RefusedError(400, "bad_parameter", f"top_k must be between 1 and 1000, got {value}")
        if isinstance(value, str) and len(value) > 200:
            raise RefusedError(400, "bad_parameter", f"{name} is too long")

    def check_payload(self, payload: bytes) -> None:
        if len(payload) > self.max_payload_bytes:
            raise RefusedError(400, "payload_too_large", f"{len(payload)} bytes are too many")
        if payload.startswith(b"\x89PNG"):
            width_px, height_px = struct.unpack(">II", payload[16:24])
        elif payload.startswith(b"\xff\xd8"):
            height_px, width_px = struct.unpack(">HH", payload[7:11])
        else:
            raise RefusedError(400, "bad_payload", f"no picture: {payload[:8]!r}")
        self.check_pixels(width_px, height_px)
        self.check_end(payload)

    def check_pixels(self, width_px: int, height_px: int) -> None:
        if width_px * height_px > MAX_PIXELS:
            raise RefusedError(400, "payload_too_large", f"{width_px}x{height_px} pixels are too many")

    def check_end(self, payload: bytes) -> None:
        if b"IEND" not in payload:
            raise RefusedError(400, "bad_payload", "the picture ends early")

    def choose(self, wanted: str) -> str:
        if wanted and wanted not in self.variants:
            raise RefusedError(404, "unknown_variant", f"no variant {wanted!r}; there are {', '.join(self.variants)}")
        return wanted or "small"

    def score(self, payload: bytes, classes: int) -> list[float]:
        return [float(value) for value in random.Random(zlib.crc32(payload)).sample(range(1000), classes)]

    def report(self, variant: str, scores: list[float], parameters: dict[str, Any]) -> dict[str, Any]:
        best = sorted(range(len(scores)), key=lambda index: -scores[index])[: parameters["top_k"]]
        stages_s = dict.fromkeys(("queue", "decode", "select", "prepare", "run", "other"), 0.001)
        return {
            "predictions": [{"index": index, "label": f"class {index}", "score": scores[index]} for index in best],
            "variant": variant,
            "cut": 0,
            "batch_size": 1,
            "stages_s": stages_s,
            "server_s": sum(stages_s.values()),
            "id": parameters["id"],
        }

    def control(self, name: str) -> dict[str, Any]:
        if name == "health":
            return {"status": "ok", "counts": {"answers": 1}}
        if name != "catalog":
            raise RefusedError(400, "bad_parameter", "there are the controls catalog and health")
        sizes = {"side_px": 8, "resize_px": 8, "accuracy": None}
        return {
            "catalog_version": 1,
            "default": "small",
            "variants": [{"name": name, "classes": classes, **sizes} for name, classes in self.variants.items()],
            "limits": {"max_payload_bytes": self.max_payload_bytes},
            "parameters": sorted(KINDS),
        }

    def metadata(self) -> dict[str, Any]:
        return {
            "inputs": [{"name": "payload", "datatype": self.payload_datatype}],
            "outputs": [{"name": "scores", "datatype": "FP32"}, {"name": "report", "datatype": "BYTES"}],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TinyServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.endswith(("/ready", "/ping")):
            self._send(self.server.brain.ready_status, b"")
        else:
            self._send(200, json.dumps(self.server.brain.metadata()).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = {header: self.server.brain.parameter_name(header) for header in self.headers}
        parameters: dict[str, Any] = {name: self.headers[header] for header, name in names.items() if name}
        self._answer_triton(body, parameters) if self.path.startswith("/v2") else self._answer_torchserve(
            body, parameters
        )

    def _answer_torchserve(self, payload: bytes, parameters: dict[str, Any]) -> None:
        try:
            report, scores = self.server.brain.infer(payload, parameters)
        except RefusedError as error:
            self._refuse(error, {"error": {"code": error.code, "message": str(error)}})
            return
        wanted = {"scores": scores} if parameters.get("scores") == "true" else {}
        self._send(200, json.dumps({**report, **wanted}).encode())

    def _answer_triton(self, body: bytes, parameters: dict[str, Any]) -> None:
        head_bytes = int(self.headers["Inference-Header-Content-Length"])
        head = json.loads(body[:head_bytes] or "{}")
        try:
            report, scores = self.server.brain.infer(body[head_bytes:], {**parameters, **head.get("parameters", {})})
        except RefusedError as error:
            self._refuse(error, {"error": f"[{error.code}] {error}"})
            return
        text = json.dumps(report)
        if head_bytes:
            outputs: list[dict[str, Any]] = [{"name": "report", "datatype": "BYTES", "data": [text]}]
            if {"name": "scores"} in head["outputs"]:
                outputs.append({"name": "scores", "datatype": "FP32", "data": scores})
            self._send(200, json.dumps({"outputs": outputs}).encode())
            return
        packed = {"scores": struct.pack(f"<{len(scores or ())}f", *(scores or ()))}
        packed["report"] = struct.pack("<I", len(text)) + text.encode()
        kinds = {"scores": "FP32", "report": "BYTES"}
        outputs = [
            {"name": name, "datatype": kinds[name], "parameters": {"binary_data_size": len(data)}}
            for name, data in packed.items()
        ]
        answer = json.dumps({"outputs": outputs}).encode()
        self._send(200, answer + b"".join(packed.values()), {"Inference-Header-Content-Length": str(len(answer))})

    def _refuse(self, error: RefusedError, document: dict[str, Any]) -> None:
        if self.server.brain.closes_after_refusal:
            self.close_connection = True
        self._send(error.status, json.dumps(document).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class TinyServer(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, brain: Brain) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.brain = brain


@contextmanager
def tiny_server(brain: Brain) -> Iterator[str]:
    """Serve in a thread; gives the URL."""
    server = TinyServer(brain)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
