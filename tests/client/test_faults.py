"""What an app sees when the network, the server or somebody in between misbehaves."""

from __future__ import annotations

import logging
import pickle
import random
import socket
import threading
import time

import pytest

from midspan_client import (
    Client,
    ConnectError,
    MidspanClientError,
    ProtocolError,
    Reply,
    RequestRefusedError,
    RequestTimeoutError,
    ServerError,
    ServerFaultError,
    UnavailableError,
    WrongServerError,
)
from midspan_client import errors as error_tree
from midspan_client.dialects.torchserve import TorchServeDialect
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.retry import Retry
from midspan_client.transport.http import MAX_ANSWER_BYTES


@pytest.fixture(params=["triton", "torchserve"])
def kind(request):
    return request.param


@pytest.fixture
def server(start, kind):
    return start(kind)


@pytest.fixture
def client(server, kind):
    with Client(server.url, server=kind, providers=[OriginalProvider()], retries=2, rng=random.Random(1)) as client:
        client.catalog()
        yield client


def error_body(kind, code, text):
    if kind == "triton":
        return b'{"error": "[%s] %s"}' % (code.encode(), text.encode())
    return b'{"error": {"code": "%s", "message": "%s"}}' % (code.encode(), text.encode())


def test_a_kept_connection_that_died_costs_nothing(server, client, jpeg, faults):
    server.faults.append(faults.reset)
    assert client.classify(jpeg).attempts == 1
    assert len(server.seen) == 2


def test_a_broken_connection_is_tried_again(server, client, jpeg, faults):
    server.faults.extend([faults.reset, faults.reset])
    answer = client.classify(jpeg)
    assert (answer.label, answer.attempts) == ("cat", 2)


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"


@pytest.mark.parametrize("data", [CUT, CUT[:12], CUT[:30]])
def test_the_transport_repeats_nothing_that_was_answered_in_part(server, client, jpeg, faults, data):
    server.faults.append(lambda handler: faults.raw(data)(handler) and faults.reset(handler))
    with pytest.raises(MidspanClientError):
        client._wire.exchange(jpeg, {})
    assert len(server.seen) == 1


class Once(OriginalProvider):
    """Its call may not reach the server twice."""

    def execute(self, route, photo, session):
        return session.infer(photo.data, idempotent=False)


@pytest.mark.parametrize("fault", ["reset", "cut", "unavailable"])
@pytest.mark.parametrize("kept", [True, False])
def test_what_is_not_idempotent_is_sent_once(server, kind, jpeg, faults, fault, kept):
    server.faults.append({
        "reset": faults.reset,
        "cut": faults.raw(CUT),
        "unavailable": lambda handler: faults.send(handler, 503, error_body(kind, "unavailable", "full")),
    }[fault])  # fmt: skip
    with Client(server.url, server=kind, providers=[Once()]) as client:
        client.catalog()
        if not kept:
            client._wire._transport._idle.pop().close()
        with pytest.raises((ConnectError, UnavailableError)) as caught:
            client.classify(jpeg)
        assert (caught.value.attempts, len(server.seen)) == (1, 1)
        assert client.classify(jpeg).attempts == 1


def test_503_then_200(server, client, jpeg, faults, kind):
    server.faults.append(lambda handler: faults.send(handler, 503, error_body(kind, "unavailable", "queue is full")))
    assert client.classify(jpeg).attempts == 2


def test_503_for_ever(server, client, jpeg, faults, kind):
    fault = lambda handler: faults.send(handler, 503, error_body(kind, "unavailable", "queue is full"))  # noqa: E731
    server.faults.extend([fault] * 5)
    with pytest.raises(UnavailableError, match="queue is full") as caught:
        client.classify(jpeg)
    assert caught.value.attempts == 3
    assert len(server.seen) == 3


def test_a_dead_worker_is_tried_again(server, client, jpeg, faults, kind):
    body = (
        b'{"error": "Stub process \'midspan_0_0\' is not healthy."}'
        if kind == "triton"
        else b'{"code": 500, "type": "InternalServerException", "message": "Worker died."}'
    )
    server.faults.append(lambda handler: faults.send(handler, 500, body))
    assert client.classify(jpeg).attempts == 2


def test_other_500s_and_400s_are_not(server, client, jpeg, faults, kind):
    server.faults.append(lambda handler: faults.send(handler, 500, error_body(kind, "internal", "our fault")))
    with pytest.raises(ServerFaultError, match="our fault"):
        client.classify(jpeg)
    server.faults.append(lambda handler: faults.send(handler, 400, error_body(kind, "bad_payload", "not an image")))
    with pytest.raises(RequestRefusedError, match=r"answered 400 \[bad_payload\]: not an image") as caught:
        client.classify(jpeg)
    assert caught.value.code == "bad_payload"
    assert len(server.seen) == 2


def test_too_slow(server, kind, jpeg, link_of):
    release = threading.Event()
    server.faults.append(lambda handler: release.wait(10) and False)
    with Client(server.url, server=kind, providers=[OriginalProvider()], timeout_s=0.2) as client:
        with pytest.raises(RequestTimeoutError, match=r"within 0\.2 s"):
            client.classify(jpeg)
        assert (
            link_of(client).predict_one((len(jpeg), time.perf_counter())) > 0.05
        )  # a lower bound is news to an optimist
    release.set()
    assert len(server.seen) == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_answer_that_trickles_is_cut_off(server, kind, jpeg, head):
    def trickle(handler):
        handler.wfile.write(head)
        with pytest.raises(OSError):  # noqa: PT012
            while True:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.02)
        return True

    server.faults.append(trickle)
    with (
        Client(server.url, server=kind, providers=[OriginalProvider()], timeout_s=0.3) as client,
        pytest.raises(RequestTimeoutError, match="no complete answer"),
    ):
        client.classify(jpeg)


GARBAGE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ProtocolError),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", ProtocolError),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}", ProtocolError),
    (b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n", ProtocolError),
    (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80", WrongServerError),
    (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n", ProtocolError),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", MidspanClientError),
    (b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"predictions": ', ConnectError),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + b'{"a": ' + b"\xff" * 8, ProtocolError),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000, ProtocolError),
]


@pytest.mark.parametrize(("data", "kind_of_error"), GARBAGE)
def test_garbage_gets_a_typed_error(server, client, jpeg, faults, data, kind_of_error):
    server.faults.extend([faults.raw(data)] * 6)
    with pytest.raises(kind_of_error):
        client.classify(jpeg)
    server.faults.clear()
    assert client.classify(jpeg).label == "cat"


def test_an_endless_answer_is_cut_off(server, client, jpeg):
    sent = 0

    def endless(handler):
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _ in range(4 * MAX_ANSWER_BYTES // 65_536):
                handler.wfile.write(b" " * 65_536)
                sent += 65_536
        except OSError:
            pass
        handler.close_connection = True
        return True

    server.faults.append(endless)
    with pytest.raises(ProtocolError, match="more than"):
        client.classify(jpeg)
    assert sent < 3 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("head", [
    b"{}", b'{"outputs": 5}', b'{"outputs": []}', b'{"outputs": [5]}', b'{"outputs": [{"name": "scores"}]}',
    b'{"outputs": [{"name": "report", "parameters": {"binary_data_size": 99}}]}',
    b'{"outputs": [{"name": "report", "parameters": {"binary_data_size": -1}}]}',
    b'{"outputs": [{"name": "report", "parameters": {"binary_data_size": 3}}]}',
    b'{"outputs": [{"name": "report", "parameters": {"binary_data_size": 8}}]}',
    b'{"outputs": [{"name": "report", "data": ["[]"]}]}',
])  # fmt: skip
@pytest.mark.parametrize("length", [None, "5", "99999", "-1", "1e3", "9" * 400])
def test_triton_answers_that_lie(start, jpeg, faults, head, length):
    server = start("triton")
    headers = {"Inference-Header-Content-Length": str(len(head)) if length is None else length}
    server.faults.append(lambda handler: faults.send(handler, 200, head + b"\xff\xff\xff\xff{}{}", headers))
    with (
        Client(server.url, providers=[OriginalProvider()]) as client,
        pytest.raises((ProtocolError, WrongServerError)),
    ):
        client.classify(jpeg)


@pytest.mark.parametrize("server_s", [float("nan"), 10**400])
def test_a_report_of_nonsense_is_tamed(server, client, jpeg, server_s, link_of):
    server.report.update(
        server_s=server_s, queue_max_s=-5, variant=["x"],
        predictions=[5, {"index": "1"}, {"index": 1, "score": float("inf")}, {"index": 1, "score": 10**400},
                     {"index": 3, "score": 0.5, "label": 7}],
    )  # fmt: skip
    answer = client.classify(jpeg)
    assert [(one.index, one.label, one.score) for one in answer.predictions] == [(3, "", 0.5)]
    assert answer.measured.server_s == 0
    assert link_of(client).model_.linear_.seen_ == 0


TORCHSERVE_404 = b'{"code": 404, "type": "ResourceNotFoundException", "message": "Requested resource is not found"}'


@pytest.mark.parametrize(("kind", "status", "body", "says"), [
    ("triton", 404, TORCHSERVE_404, "not Triton"),
    ("triton", 405, b'{"code": 405, "type": "MethodNotAllowedException", "message": "no"}', "not Triton"),
    ("triton", 404, b"", "not Triton"),
    ("triton", 405, b'{"error":"Method Not Allowed"}', "metrics port"),
    ("triton", 200, b'{"predictions": []}', "not Triton"),
    ("torchserve", 404, b'{"error":"Not Found"}', "not TorchServe"),
    ("torchserve", 400, b"", "not TorchServe"),
    ("torchserve", 405, b"<html>", "not TorchServe"),
    ("torchserve", 404, TORCHSERVE_404, "management port"),
], indirect=["kind"])  # fmt: skip
def test_swapped_ports_are_told(server, client, jpeg, faults, status, body, says):
    server.faults.append(lambda handler: faults.send(handler, status, body))
    with pytest.raises(WrongServerError, match=says):
        client.classify(jpeg)


def test_a_wrong_server_gets_no_photo(start, kind, jpeg, faults):
    server = start(kind)
    server.catalog_faults.append(lambda handler: faults.send(handler, 404, b""))
    with Client(server.url, server=kind) as client, pytest.raises(WrongServerError):
        client.classify(jpeg)
    assert server.seen == []


def test_a_model_that_torchserve_does_not_have(start, jpeg, faults):
    server = start("torchserve")
    body = b'{"code": 404, "type": "ModelNotFoundException", "message": "Model not found: midspan"}'
    server.faults.append(lambda handler: faults.send(handler, 404, body))
    with (
        Client(server.url, server="torchserve", providers=[OriginalProvider()]) as client,
        pytest.raises(RequestRefusedError, match="Model not found"),
    ):
        client.classify(jpeg)


def test_nobody_listens(jpeg, kind):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with (
            Client(f"http://127.0.0.1:{port}", server=kind, retries=1) as client,
            pytest.raises(ConnectError, match="cannot connect") as caught,
        ):
            client.classify(jpeg)
    assert caught.value.attempts == 2


def test_tls_with_a_custom_authority(start, kind, certificate, jpeg, caplog):
    caplog.set_level(logging.DEBUG)
    server = start(kind, tls=certificate)
    secret = "s3cr3t-t0k3n"
    with Client(server.url, server=kind, ca_file=str(certificate[0]), token=secret) as client:
        for _ in range(3):
            assert client.classify(jpeg).label == "cat"
        assert secret not in repr(client) + repr(client._wire) + repr(client._wire._transport)
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {secret}"}
    assert server.connections == 1
    assert secret not in caplog.text
    with Client(server.url, server=kind) as client, pytest.raises(WrongServerError, match="not trusted"):
        client.classify(jpeg)


def test_tls_and_plain_mixed_up(start, kind, certificate, jpeg):
    plain, secure = start(kind), start(kind, tls=certificate)
    with (
        Client(plain.url.replace("http:", "https:"), server=kind, ca_file=str(certificate[0])) as client,
        pytest.raises((WrongServerError, ConnectError)),
    ):
        client.classify(jpeg)
    with (
        Client(secure.url.replace("https:", "http:"), server=kind, retries=0) as client,
        pytest.raises((WrongServerError, ConnectError)),
    ):
        client.classify(jpeg)


def test_without_a_catalog_the_photo_is_sent_plainly(start, kind, jpeg, faults):
    server = start(kind)
    server.catalog_faults.extend([lambda handler: faults.send(handler, 500, error_body(kind, "internal", "oops"))] * 2)
    now = [0.0]
    with Client(server.url, server=kind, clock=lambda: now[0]) as client:
        answer = client.classify(jpeg)
        assert (answer.label, answer.route.name) == ("cat", "original")
        assert "oops" in answer.degraded
        client.classify(jpeg)
        assert server.catalogs == 1  # not asked again at once
        now[0] = 10.0
        client.classify(jpeg)
        now[0] = 20.0
        assert client.classify(jpeg).degraded == ""
        assert server.catalogs == 3


def test_the_catalog_is_fetched_again_when_old(start, jpeg, faults):
    server = start()
    now = [0.0]
    with Client(server.url, providers=[OriginalProvider()], clock=lambda: now[0]) as client:
        client.classify(jpeg)
        now[0] = 299.0
        client.classify(jpeg)
        assert server.catalogs == 1
        now[0] = 301.0
        server.catalog_faults.append(lambda handler: faults.send(handler, 500, b'{"error": "x"}'))
        assert client.classify(jpeg).degraded == ""  # the old one serves on
        assert server.catalogs == 2


def test_a_variant_that_went_away(start, kind, jpeg, faults):
    server = start(kind)
    with Client(server.url, server=kind, providers=[OriginalProvider()]) as client:
        client.catalog()
        gone = error_body(kind, "unknown_variant", "no variant lite0")
        server.faults.append(lambda handler: faults.send(handler, 404, gone))
        answer = client.classify(jpeg)
        assert "unknown_variant" in answer.degraded
        assert "variant" not in server.seen[1].parameters  # the server's own default
        client.classify(jpeg)
        assert server.catalogs == 2


def test_a_refused_route_degrades_to_the_plain_photo(start, kind, jpeg, faults):
    server = start(kind)
    server.faults.append(lambda handler: faults.send(handler, 400, error_body(kind, "bad_parameter", "preprocessed?")))
    with Client(server.url, server=kind, providers=[ResizedProvider()]) as client:
        answer = client.classify(jpeg)
    assert answer.route.name == "original"
    assert "preprocessed?" in answer.degraded
    assert server.seen[1].payload == jpeg


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_token_is_not_tried_by_other_routes(start, jpeg, faults, status):
    server = start()
    server.faults.append(lambda handler: faults.send(handler, status, b'{"error": "who are you"}'))
    with Client(server.url, providers=[ResizedProvider()]) as client, pytest.raises(RequestRefusedError):
        client.classify(jpeg)
    assert len(server.seen) == 1


def test_three_retries_outlast_the_watchdog():
    retry = Retry(rng=random.Random(3))
    assert min(sum(retry.pause_s(attempt) for attempt in (1, 2, 3)) for _ in range(1000)) > 3.0


def test_pauses_grow_and_are_bounded():
    retry = Retry(rng=random.Random(3))
    for attempt, most in [(1, 0.2), (2, 0.8), (3, 3.2), (4, 5.0), (20, 5.0)]:
        pauses = [retry.pause_s(attempt) for _ in range(200)]
        assert most * 0.75 <= min(pauses) < max(pauses) <= most


def test_errors_survive_pickling_and_the_tree_is_drawn():
    assert error_tree.__all__ == sorted(error_tree.__all__)
    for name in error_tree.__all__:
        cls = getattr(error_tree, name)
        assert f" {name} " in error_tree.__doc__ or f"{name}\n" in error_tree.__doc__
        assert issubclass(cls, MidspanClientError)
        error = cls(400, "code", "text") if issubclass(cls, ServerError) else cls("text")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.args) == (cls, str(error), error.args)


def test_torchserves_word_for_a_missing_token_is_unauthorized():
    body = b'{"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}'
    with pytest.raises(RequestRefusedError, match="Token Authorization failed") as caught:
        TorchServeDialect().decode(Reply(400, {}, body))
    assert caught.value.status == 401
