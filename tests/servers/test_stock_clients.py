"""Clients that know nothing of Midspan: each gives the right answer for the bundle's probe and a photo."""

from __future__ import annotations

import asyncio
import json
import subprocess

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from pytriton.client import ModelClient

SYNC = {"http": tritonclient.http, "grpc": tritonclient.grpc}
ASYNC = {"http": tritonclient.http.aio, "grpc": tritonclient.grpc.aio}


def address(server, protocol):
    return server.url.removeprefix("http://") if protocol == "http" else server.grpc_url


def inputs_of(module, picture):
    one = module.InferInput("payload", [1, len(picture)], "UINT8")
    one.set_data_from_numpy(np.frombuffer(picture, np.uint8)[None])
    return [one]


def check(index, answer):
    report = json.loads(answer.as_numpy("report").item())
    scores = answer.as_numpy("scores")
    assert scores.shape == (1, 1000)
    assert int(scores.argmax()) == index
    assert report["predictions"][0]["index"] == index
    assert len(report["predictions"]) == 2


@pytest.mark.parametrize("protocol", SYNC)
def test_tritonclient(protocol, triton, pictures):
    module = SYNC[protocol]
    with module.InferenceServerClient(address(triton, protocol)) as client:
        for index, picture in pictures.items():
            check(index, client.infer("midspan", inputs_of(module, picture), parameters={"top_k": 2}))


@pytest.mark.parametrize("protocol", ASYNC)
def test_tritonclient_with_asyncio(protocol, triton, pictures):
    module = ASYNC[protocol]

    async def ask():
        async with module.InferenceServerClient(address(triton, protocol)) as client:
            calls = [
                client.infer("midspan", inputs_of(module, one), parameters={"top_k": 2}) for one in pictures.values()
            ]
            return await asyncio.gather(*calls)

    for index, answer in zip(pictures, asyncio.run(ask()), strict=True):
        check(index, answer)


@pytest.mark.parametrize("protocol", SYNC)
def test_tritonclient_gets_the_right_error(protocol, triton, pictures):
    module = SYNC[protocol]
    cases = [
        (b"no picture", {}, ("400", "StatusCode.INVALID_ARGUMENT"), "bad_payload"),
        (pictures[417], {"topk": 3}, ("400", "StatusCode.INVALID_ARGUMENT"), "bad_parameter"),
        (pictures[417], {"variant": "lite9"}, ("404", "StatusCode.NOT_FOUND"), "unknown_variant"),
    ]
    with module.InferenceServerClient(address(triton, protocol)) as client:
        for payload, parameters, statuses, code in cases:
            with pytest.raises(module.InferenceServerException, match=rf"\[{code}\]") as caught:
                client.infer("midspan", inputs_of(module, payload), parameters=parameters)
            assert caught.value.status() in statuses


@pytest.mark.parametrize("protocol", SYNC)
def test_tritonclient_can_send_a_batch_of_its_own(protocol, triton, pictures):
    """Rows have one length; a PNG may have bytes behind its end."""
    module = SYNC[protocol]
    row = np.frombuffer(pictures[417], np.uint8)
    tensor = module.InferInput("payload", [3, len(row)], "UINT8")
    tensor.set_data_from_numpy(np.stack([row] * 3))
    with module.InferenceServerClient(address(triton, protocol)) as client:
        scores = client.infer("midspan", [tensor]).as_numpy("scores")
    assert scores.shape == (3, 1000)
    assert (scores.argmax(axis=1) == 417).all()


@pytest.mark.filterwarnings("ignore::pytriton.client.warnings.NotSupportedTimeoutWarning")  # tells of its gRPC only
@pytest.mark.parametrize("protocol", SYNC)
def test_the_model_client_of_pytriton(protocol, triton, pictures):
    with ModelClient(f"{protocol}://{address(triton, protocol)}", "midspan") as client:
        for index, picture in pictures.items():
            answer = client.infer_sample(np.frombuffer(picture, np.uint8), parameters={"top_k": 2})
            assert int(answer["scores"].argmax()) == index
            assert json.loads(answer["report"].item())["predictions"][0]["index"] == index


def curl(*arguments):
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}", *arguments]
    *body, status = subprocess.run(command, capture_output=True, check=True, timeout=90).stdout.split(b"\n")
    return int(status), b"\n".join(body)


def curl_predict(server, file, *headers):
    path = "/v2/models/midspan/infer" if server.kind == "triton" else "/predictions/midspan"
    raw = ["Content-Type: application/octet-stream"]
    raw += ["Inference-Header-Content-Length: 0"] if server.kind == "triton" else []
    told = [word for header in [*raw, *headers] for word in ("--header", header)]
    return curl("--data-binary", f"@{file}", *told, server.url + path)


def test_curl(server, pictures, tmp_path):
    for index, picture in pictures.items():
        file = tmp_path / "picture"
        file.write_bytes(picture)
        status, body = curl_predict(server, file, "X-Midspan-Top-K: 1")
        assert status == 200
        assert f'"predictions":[{{"index":{index},'.encode() in body
        status, body = curl_predict(server, file, "x-midspan-variant: lite9")
        assert status == 404
        assert b"there are lite0, lite1, lite2" in body


def test_curl_sends_a_form_to_torchserve(torchserve, pictures, tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(pictures[455])
    status, body = curl("--form", f"data=@{file}", f"{torchserve.url}/predictions/midspan")
    assert status == 200
    assert json.loads(body)["predictions"][0]["index"] == 455


def test_curl_asks_triton_for_the_report_alone_in_json(triton, pictures, tmp_path):
    """Numbers spelt out, as a client without any binary extension would send them."""
    file = tmp_path / "request.json"
    tensor = {"name": "payload", "datatype": "UINT8", "shape": [1, len(pictures[417])], "data": list(pictures[417])}
    file.write_text(json.dumps({"inputs": [tensor], "outputs": [{"name": "report"}]}))
    status, body = curl("--data-binary", f"@{file}", f"{triton.url}/v2/models/midspan/infer")
    assert status == 200
    (output,) = json.loads(body)["outputs"]
    assert json.loads(output["data"][0])["predictions"][0]["index"] == 417
