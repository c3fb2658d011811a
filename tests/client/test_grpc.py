"""gRPC against a small real gRPC server that speaks Triton's protocol."""

from __future__ import annotations

import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from midspan_client import (
    Client,
    ConnectError,
    RequestRefusedError,
    RequestTimeoutError,
    UnavailableError,
    WrongServerError,
)
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.transport.grpc import GrpcWire
from midspan_client.transport.http import MAX_IDLE
from midspan_client.url import Endpoint

grpc = pytest.importorskip("grpc")
service = pytest.importorskip("tritonclient.grpc.service_pb2")
service_grpc = pytest.importorskip("tritonclient.grpc.service_pb2_grpc")


class Servicer(service_grpc.GRPCInferenceServiceServicer):
    """Answers like the model `midspan`; `problem` is a pair of status and text, or None."""

    def __init__(self, catalog):
        self.catalog, self.problem, self.seen, self.tokens, self.delay_s = catalog, None, [], [], 0.0

    def ServerLive(self, request, context):
        return service.ServerLiveResponse(live=True)

    def ModelInfer(self, request, context):
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        parameters = {name: getattr(p, p.WhichOneof("parameter_choice")) for name, p in request.parameters.items()}
        if parameters.get("control") == "catalog":
            report = self.catalog
        else:
            time.sleep(self.delay_s)
            if self.problem:
                context.abort(*self.problem)
            self.seen.append((parameters, request.raw_input_contents[0], list(request.inputs[0].shape)))
            report = {"predictions": [{"index": 1, "label": "cat", "score": 0.9}], "server_s": 0.0001}
        text = json.dumps(report).encode()
        made = service.ModelInferResponse(model_name="midspan")
        output = made.outputs.add(name="report", datatype="BYTES", shape=[1, 1])
        assert output.name == request.outputs[0].name
        made.raw_output_contents.append(struct.pack("<I", len(text)) + text)
        return made


@pytest.fixture
def served(start):
    servicer = Servicer(start().catalog)
    server = grpc.server(ThreadPoolExecutor(4))
    service_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    servicer.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer
    server.stop(None).wait()


def test_classify(served, jpeg):
    with Client(f"grpc://127.0.0.1:{served.port}", token="t0k", providers=[OriginalProvider()]) as client:
        answers = [client.classify(jpeg, top_k=3) for _ in range(3)]
    assert [answer.label for answer in answers] == ["cat"] * 3
    assert served.seen[0] == (
        {"top_k": 3, "variant": "lite0", "content_type": "image/jpeg"}, jpeg, [1, len(jpeg)]
    )  # fmt: skip
    assert set(served.tokens) == {"Bearer t0k"}


def test_transport_by_name_and_the_resized_route(served, jpeg):
    with Client(f"http://127.0.0.1:{served.port}", transport="grpc", providers=[ResizedProvider()]) as client:
        assert client.classify(jpeg).route.name == "resized"
    assert served.seen[0][0]["preprocessed"] is True


@pytest.mark.parametrize(("problem", "error", "says"), [
    ((grpc.StatusCode.INVALID_ARGUMENT, "[bad_payload] no image"), RequestRefusedError, "400 .bad_payload.: no image"),
    ((grpc.StatusCode.NOT_FOUND, "[unknown_variant] no"), RequestRefusedError, "404"),
    ((grpc.StatusCode.UNAVAILABLE, "[unavailable] busy"), UnavailableError, "busy"),
    ((grpc.StatusCode.UNAVAILABLE, "[request id: 1] Exceeds maximum queue size"), UnavailableError, "queue size"),
])  # fmt: skip
def test_errors(served, jpeg, problem, error, says):
    served.problem = problem
    with (
        Client(f"grpc://127.0.0.1:{served.port}", retries=0, providers=[OriginalProvider()]) as client,
        pytest.raises(error, match=says),
    ):
        client.classify(jpeg)


def test_a_refusal_costs_no_channel_and_few_idle_ones_are_kept(served, jpeg):
    wire = GrpcWire(
        Endpoint.parse(f"grpc://127.0.0.1:{served.port}"), token=None, secure=False, ca_file=None, timeout_s=10
    )
    served.problem = (grpc.StatusCode.INVALID_ARGUMENT, "[bad_payload] no image")
    for _ in range(2):
        with pytest.raises(RequestRefusedError):
            wire.exchange(jpeg, {})
    assert len(wire._idle) == 1
    for client in [wire._take()[0] for _ in range(MAX_IDLE + 1)]:
        wire._give_back(client)
    assert len(wire._idle) == MAX_IDLE
    wire.close()


def test_too_slow(served, jpeg):
    served.delay_s = 1.0
    with (
        Client(f"grpc://127.0.0.1:{served.port}", timeout_s=0.2, providers=[OriginalProvider()]) as client,
        pytest.raises(RequestTimeoutError),
    ):
        client.classify(jpeg)


def test_nobody_listens(jpeg):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with (
            Client(f"grpc://127.0.0.1:{free.getsockname()[1]}", retries=0) as client,
            pytest.raises(ConnectError),
        ):
            client.classify(jpeg)


def test_the_http_port_instead(start, jpeg):
    url = start().url.replace("http:", "grpc:")
    with Client(url, retries=0) as client, pytest.raises((WrongServerError, ConnectError)):
        client.classify(jpeg)


def test_the_grpc_port_over_http(served, jpeg):
    with (
        Client(f"http://127.0.0.1:{served.port}", retries=0) as client,
        pytest.raises(WrongServerError, match="gRPC"),
    ):
        client.classify(jpeg)
