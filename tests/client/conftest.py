"""A small real HTTP server that speaks both servers' wire, and misbehaves on demand."""

from __future__ import annotations

import io
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CATALOG: dict[str, Any] = {
    "catalog_version": 1,
    "midspan": "0.1.0",
    "family": "test",
    "default": "lite0",
    "variants": [
        {"name": "lite0", "side_px": 224, "resize_px": 256, "interpolation": "bicubic", "classes": 1000,
         "macs": 400_000_000, "accuracy": 0.75, "server_s": {"run": 0.008}},
        {"name": "lite2", "side_px": 260, "resize_px": 292, "interpolation": "bicubic", "classes": 1000,
         "macs": 860_000_000, "accuracy": 0.78, "server_s": {"run": 0.02}},
    ],
    "limits": {"max_payload_bytes": 10_000_000, "max_batch_size": 8},
    "parameters": ["content_type", "control", "id", "preprocessed", "top_k", "variant"],
    "plugins": {"preprocess": {"formats": ["image/jpeg"], "max_pixels": 50_000_000}},
}  # fmt: skip


@dataclass
class Seen:
    """One request as the server got it. `connection` numbers the TCP connection it came on."""

    path: str
    headers: dict[str, str]
    payload: bytes
    parameters: dict[str, Any]
    connection: int


Fault = Callable[[BaseHTTPRequestHandler], bool]
"""Writes what it likes to the handler's `wfile`; returns True if the request is answered (or ruined) by that."""


@dataclass
class FakeServer:
    """`faults` are used up one a request, inferences only; `report` overrides keys of the report."""

    kind: str
    catalog: Any = field(default_factory=lambda: json.loads(json.dumps(CATALOG)))
    report: dict[str, Any] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    catalog_faults: deque[Fault] = field(default_factory=deque)
    delay_s: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    catalogs: int = 0
    connections: int = 0
    url: str = ""
    lock: Any = field(default_factory=threading.Lock)

    def answer(self, handler: Any) -> None:
        started = time.perf_counter()
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.kind == "triton":
            split = int(handler.headers["Inference-Header-Content-Length"])
            head = json.loads(body[:split])
            assert head["inputs"] == [
                {"name": "payload", "shape": [1, len(body) - split], "datatype": "UINT8",
                 "parameters": {"binary_data_size": len(body) - split}}
            ]  # fmt: skip
            payload, parameters = body[split:], head["parameters"]
        else:
            payload = body
            parameters = {
                name.lower()[10:].replace("-", "_"): value
                for name, value in handler.headers.items()
                if name.lower().startswith("x-midspan-")
            }
        control = parameters.get("control")
        with self.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            if control:
                self.catalogs += 1
            else:
                self.seen.append(Seen(handler.path, headers, payload, parameters, handler.number))
            faults = self.catalog_faults if control else self.faults
            fault = faults.popleft() if faults else None
        if fault and fault(handler):
            return
        if self.delay_s:
            time.sleep(self.delay_s)
        report = self.catalog if control else self.made(parameters, time.perf_counter() - started)
        self.reply(handler, report)

    def made(self, parameters: dict[str, Any], server_s: float) -> dict[str, Any]:
        return {
            "predictions": [{"index": 1, "label": "cat", "score": 0.9}, {"index": 2, "label": "dog", "score": 0.1}],
            "variant": parameters.get("variant", "lite0"),
            "cut": 0,
            "batch_size": 1,
            "server_s": server_s,
            "queue_max_s": 0.0,
            **self.report,
        }

    def reply(self, handler: Any, report: Any) -> None:
        text = json.dumps(report).encode()
        if self.kind == "torchserve":
            send(handler, 200, text)
            return
        tensor = struct.pack("<I", len(text)) + text
        output = {"name": "report", "datatype": "BYTES", "shape": [1, 1],
                  "parameters": {"binary_data_size": len(tensor)}}  # fmt: skip
        head = json.dumps({"model_name": "midspan", "outputs": [output]}).encode()
        send(handler, 200, head + tensor, {"Inference-Header-Content-Length": str(len(head))})


def send(handler: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> bool:
    """Answer with this; also useful as a fault: `lambda handler: send(handler, 503, b"...")`."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


def reset(handler: Any) -> bool:
    """Break the connection without a goodbye."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    handler.wfile = handler.rfile = io.BytesIO()
    return True


def raw(data: bytes) -> Fault:
    """Write these bytes and hang up."""

    def fault(handler: Any) -> bool:
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.close_connection = True
        return True

    return fault


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken connections are what many tests are about


@pytest.fixture
def start() -> Iterator[Callable[..., FakeServer]]:
    """A factory: `start("triton")`, `start("torchserve", tls=(cert, key))`."""
    running: list[tuple[_Quiet, threading.Thread]] = []

    def make(kind: str = "triton", tls: tuple[Path, Path] | None = None) -> FakeServer:
        fake = FakeServer(kind)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                super().setup()
                with fake.lock:
                    fake.connections += 1
                    self.number = fake.connections

            def do_POST(self) -> None:
                fake.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        server = _Quiet(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        return fake

    yield make
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def faults() -> Any:
    """The ways to misbehave, as attributes: send, reset, raw."""

    class Faults:
        send = staticmethod(send)
        reset = staticmethod(reset)
        raw = staticmethod(raw)

    return Faults


@pytest.fixture
def link_of() -> Callable[[Any], Any]:
    """The model of the network that a client uses now."""
    return lambda client: client._memory.link(client._memory.place)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A photo of 800 x 600 pixels, with some structure."""
    from PIL import Image

    image = Image.radial_gradient("L").resize((800, 600)).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
