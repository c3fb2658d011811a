"""Real servers: right values, wrong configurations, a clean and whole end."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from midspan.deploy.http import send
from midspan.deploy.local import LocalServer
from midspan.deploy.process import SHARED_MEMORY, session_members
from midspan.deploy.ready import Health
from midspan.errors import BundleError, ConfigError

KINDS = ["triton", "torchserve"]


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_values_are_right(server):
    assert server.probe().health is Health.RIGHT


def test_all_workers_are_up(server):
    assert len(server.process.workers()) == server.config.server.workers == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_server_leaves_nothing_and_starts_again(kind, small_bundle, make_config):
    server = LocalServer(kind, make_config(small_bundle, server={"workers": 1}))
    ports = [getattr(server.config.server, name) for name in ("http_port", "grpc_port", "metrics_port")]
    shared_before = set(SHARED_MEMORY.glob(f"midspan_{os.getpid()}_*"))
    for _ in range(2):
        server.start()
        session, directory = server.process.pid, server.log.parent
        assert all(map(listens, ports))
        assert session in session_members(session)
        server.stop()
        server.stop()
        assert session_members(session) == []
        assert not any(map(listens, ports))
        assert not directory.exists()
        assert not server.running
    assert set(SHARED_MEMORY.glob(f"midspan_{os.getpid()}_*")) == shared_before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("plugins", "reason"),
    [
        (
            {"enabled": ["preproces", "onnxruntime"]},
            "'preproces' of no installed distribution: is enabled but not installed",
        ),
        ({"enabled": ["onnxruntime"], "onnxruntime": {"threads": 0}}, "threads must be between 1 and 1024, got 0"),
    ],
)
def test_a_plugin_that_does_not_load_is_one_error_and_leaves_nothing(kind, plugins, reason, small_bundle, make_config):
    server = LocalServer(kind, make_config(small_bundle, plugins=plugins))
    with pytest.raises(ConfigError, match=reason) as caught:
        server.start()
    assert "\n" not in str(caught.value)
    assert r"\n" not in str(caught.value)
    assert server.process is None
    assert not listens(server.config.server.http_port)


def test_a_missing_bundle_is_found_before_anything_starts(make_config, tmp_path):
    with pytest.raises(BundleError, match=r"cannot read bundle\.json"):
        LocalServer("triton", make_config(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_in_use_is_found_before_anything_starts(kind, small_bundle, make_config):
    server = LocalServer(kind, make_config(small_bundle))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.config.server.grpc_port))
        taken.listen()
        with pytest.raises(ConfigError, match=r"server\.grpc_port\): Address already in use"):
            server.start()
    assert server.process is None


def test_an_unknown_server_is_refused(small_bundle, make_config):
    with pytest.raises(ConfigError, match="unknown server 'mlserver'; there are triton and torchserve"):
        LocalServer("mlserver", make_config(small_bundle))


def test_a_token_is_asked_for_and_right(torchserve_with_token):
    server = torchserve_with_token
    url, headers = f"{server.url}/predictions/midspan", {"Content-Type": "image/png"}
    assert send("POST", url, server.family.probe, headers, 10)[0] in (400, 401, 403)
    assert server.probe().health is Health.RIGHT
    headers["Authorization"] = f"Bearer {server.token}"
    assert send("POST", url, server.family.probe, headers, 10)[0] == 200


def test_models_cannot_be_loaded_without_the_key(triton):
    url = f"{triton.url}/v2/repository/models/midspan/load"
    for headers in ({}, {"midspan-admin": "guess"}):
        assert send("POST", url, b"{}", headers, 10)[0] in (401, 403)
    assert triton.probe().health is Health.RIGHT


def test_models_cannot_be_managed_from_outside_torchserve(torchserve):
    url = f"http://127.0.0.1:{torchserve.config.server.management_port}/models?url=http://127.0.0.1:9/a.mar"
    assert send("POST", url, b"", {}, 10)[0] in (403, 405)


def test_a_body_just_over_the_limit_learns_why(start_server):
    limit = 100_000
    server = start_server("torchserve", server={"workers": 1, "max_payload_bytes": limit})
    url = f"{server.url}/predictions/midspan"
    status, body = send("POST", url, b"\xff" * (limit + 1), {"Content-Type": "image/jpeg"}, 10)
    assert (status, json.loads(body)["error"]["code"]) == (400, "payload_too_large")
    assert send("POST", url, b"\xff" * (limit + 2**17), {"Content-Type": "image/jpeg"}, 10)[0] == 413
    assert server.probe().health is Health.RIGHT


@pytest.mark.parametrize("body", [b'{"image": "abc"}', b"[1, 2]", b'"text"', b"17"])
def test_json_for_a_body_is_refused_with_what_is_allowed(torchserve, body):
    url = f"{torchserve.url}/predictions/midspan"
    status, answer = send("POST", url, body, {"Content-Type": "application/json"}, 10)
    error = json.loads(answer)["error"]
    assert (status, error["code"]) == (400, "bad_payload")
    assert "image/jpeg" in error["message"]


def test_a_form_s_file_is_a_payload(torchserve):
    part = b'--x\r\nContent-Disposition: form-data; name="data"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
    body = part + torchserve.family.probe + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, answer = send("POST", f"{torchserve.url}/predictions/midspan", body, headers, 10)
    assert status == 200
    assert json.loads(answer)["predictions"][0]["index"] == best(torchserve)


def best(server: LocalServer) -> int:
    scores = server.family.variant(server.family.default).probe_scores
    return scores.index(max(scores))


def test_a_batch_within_one_request_is_answered_row_by_row(triton):
    probe = triton.family.probe
    head = {
        "inputs": [
            {
                "name": "payload",
                "shape": [2, len(probe)],
                "datatype": "UINT8",
                "parameters": {"binary_data_size": 2 * len(probe)},
            }
        ],
        "outputs": [{"name": "report"}],
    }
    status, body = infer(triton, head, probe * 2)
    (output,) = json.loads(body)["outputs"]
    assert (status, output["shape"]) == (200, [2, 1])
    assert [json.loads(report)["predictions"][0]["index"] for report in output["data"]] == [best(triton)] * 2


def test_a_row_that_fails_fails_its_request(triton):
    probe = triton.family.probe
    size = {"binary_data_size": 2 * len(probe)}
    head = {"inputs": [{"name": "payload", "shape": [2, len(probe)], "datatype": "UINT8", "parameters": size}]}
    status, body = infer(triton, head, probe + bytes(len(probe)))
    assert status == 400
    assert json.loads(body)["error"].startswith("[bad_payload] ")


@pytest.mark.parametrize("payload", [b"", bytes(4)])
def test_a_request_without_rows_is_refused_and_harms_nobody(triton, payload):
    size = {"binary_data_size": len(payload)}
    head = {"inputs": [{"name": "payload", "shape": [0, 4], "datatype": "UINT8", "parameters": size}]}
    assert infer(triton, head, payload)[0] == 400
    assert triton.probe().health is Health.RIGHT


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_triton_serves_on_an_ipv6_address(start_server):
    server = start_server("triton", server={"host": "::1", "workers": 1})
    assert server.url == f"http://[::1]:{server.config.server.http_port}"
    assert server.grpc_url == f"[::1]:{server.config.server.grpc_port}"
    assert server.probe().health is Health.RIGHT


def infer(server: LocalServer, head: object, payload: bytes) -> tuple[int, bytes]:
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text)), "Content-Type": "application/octet-stream"}
    return send("POST", f"{server.url}/v2/models/midspan/infer", text + payload, headers, 10)


def test_more_than_the_queue_holds_is_refused_with_503_and_the_rest_answered(start_server):
    server = start_server("triton", server={"workers": 1, "max_queue_size": 1, "max_batch_size": 1})
    found: list[Health] = []
    threads = [threading.Thread(target=lambda: found.append(server.probe().health)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {Health.RIGHT, Health.BUSY}
    assert server.probe().health is Health.RIGHT


def test_the_log_is_kept_where_it_was_asked_for(small_bundle, make_config, tmp_path: Path):
    log = tmp_path / "server.log"
    log.write_text("before\n")
    with LocalServer("triton", make_config(small_bundle, server={"workers": 1}), log=log):
        pass
    assert log.read_text().startswith("before\n")
    assert "successfully loaded 'midspan'" in log.read_text()
