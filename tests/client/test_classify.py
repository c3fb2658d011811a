"""What an app sees when all goes well, on both wires."""

from __future__ import annotations

import io
import sqlite3
import statistics
import threading
import time

import pytest
from PIL import Image

import midspan_client
from midspan_client import Client, Objective, Photo, RequestRefusedError, UsageError
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider


@pytest.fixture(params=["triton", "torchserve"])
def kind(request):
    return request.param


def both():
    return [OriginalProvider(), ResizedProvider()]


def test_exports_are_sorted_and_exist():
    names = midspan_client.__all__
    assert names == sorted(names)
    assert all(hasattr(midspan_client, name) for name in names)
    public = {name for name, value in vars(midspan_client).items() if isinstance(value, type)}
    assert public == set(names)


def test_an_answer_says_everything(start, kind, jpeg):
    server = start(kind)
    with Client(server.url, server=kind, providers=both()) as client:
        answer = client.classify(jpeg, top_k=2)
        assert (answer.label, answer.predictions[0].score) == ("cat", 0.9)
        assert answer.attempts == 1
        assert answer.degraded == ""
        assert answer.warnings == ()
        assert answer.variant == answer.route.variant == "lite0"
        assert answer.bytes_up == len(server.seen[0].payload)
        assert str(server.seen[0].parameters["top_k"]) == "2"
        assert server.seen[0].parameters["content_type"] == "image/jpeg"
        assert answer.measured.total_s == pytest.approx(answer.total_s, rel=0.05)
        assert answer.measured.server_s == answer.report["server_s"]
        assert answer.predicted.total_s == answer.route.total_s
        assert "fastest" in answer.reason


def test_path_bytes_and_photo_are_the_same(start, kind, jpeg, tmp_path):
    server = start(kind)
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg)
    with Client(server.url, server=kind, providers=[OriginalProvider()]) as client:
        for photo in (jpeg, path, str(path), Photo(jpeg), bytearray(jpeg)):
            client.classify(photo)
    assert {seen.payload for seen in server.seen} == {jpeg}


def test_the_resized_route_sends_a_preprocessed_square(start, kind, jpeg):
    server = start(kind)
    with Client(server.url, server=kind, providers=[ResizedProvider()]) as client:
        answer = client.classify(jpeg, variant="lite2")
    seen = server.seen[0]
    with Image.open(io.BytesIO(seen.payload)) as image:
        assert (image.size, image.format, image.mode) == ((260, 260), "JPEG", "RGB")
    assert seen.parameters["preprocessed"] in (True, "true")
    assert seen.parameters["variant"] == "lite2"
    assert answer.route.name == "resized"
    assert answer.measured.device_s > 0


@pytest.mark.parametrize(("objective", "variant"), [
    (Objective("time"), "lite0"),
    (Objective("accuracy"), "lite2"),
    (Objective("time", min_accuracy=0.77), "lite2"),
    (Objective("bytes"), "lite0"),
])  # fmt: skip
def test_the_objective_opens_the_variant(start, jpeg, objective, variant):
    server = start()
    with Client(server.url, objective=objective, providers=both()) as client:
        assert client.classify(jpeg).variant == variant


def test_fewest_bytes_resizes_and_explain_agrees(start, jpeg):
    server = start()
    with Client(server.url, objective=Objective("bytes"), providers=both()) as client:
        choice = client.explain(jpeg)
        assert server.seen == []
        assert [route.name for route in choice.routes] == ["original", "resized"]
        assert client.classify(jpeg).route.name == choice.route.name == "resized"


def test_learning_makes_predictions_right(start, jpeg):
    server = start()
    with Client(server.url, providers=both()) as client:
        answers = [client.classify(jpeg) for _ in range(40)]
    # Times on a busy machine wander; that they are of the right order shows that learning is wired up.
    ratios = [answer.total_s / answer.predicted.total_s for answer in answers[20:]]
    assert 1 / 4 < statistics.median(ratios) < 4


def test_200_ms_of_server_do_not_reach_the_link_model(start, jpeg, link_of):
    server = start()
    server.delay_s = 0.2
    with Client(server.url, providers=[OriginalProvider()]) as client:
        for _ in range(6):
            answer = client.classify(jpeg)
        link = link_of(client)
    assert answer.measured.server_s >= 0.2
    assert link.model_.linear_.seen_ >= 4  # one that is thought wild may be passed over
    assert link.predict_one((len(jpeg), time.perf_counter())) < 0.1
    assert answer.route.server_s > 0.15


def test_an_unclear_queue_teaches_no_more_than_its_bounds(start, jpeg, link_of):
    server = start()
    server.report["queue_max_s"] = 5.0
    with Client(server.url, providers=[OriginalProvider()]) as client:
        for _ in range(6):
            last = client.classify(jpeg)
        # The prior is slower than loopback can have been: it gives way, but to no less than the whole exchange.
        link = link_of(client)
        assert 0 < link.predict_one((len(jpeg), time.perf_counter())) < 0.02
        assert last.measured.send_s > 0


def test_the_first_exchange_of_a_connection_teaches_no_link(start, jpeg, link_of):
    server = start()
    with Client(server.url, providers=[OriginalProvider()]) as client:
        client.catalog()
        client._wire._transport._idle.pop().close()
        client.classify(jpeg)
        assert link_of(client).model_.linear_.seen_ == 0
        client.classify(jpeg)
        assert link_of(client).model_.linear_.seen_ == 1


def test_many_threads_share_a_client(start, kind, jpeg, tmp_path):
    server = start(kind)
    store = tmp_path / "store.sqlite"
    answers, errors = [], []

    def work():
        try:
            answers.extend(client.classify(jpeg) for _ in range(10))
        except Exception as error:
            errors.append(error)

    with Client(server.url, server=kind, providers=both(), store=store) as client:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert len(answers) == len(server.seen) == 80
    assert server.connections <= 9  # kept: one for each thread at most, and the catalog's
    assert server.catalogs == 1
    with sqlite3.connect(store) as db:
        assert db.execute("SELECT count(*) FROM decisions").fetchone() == (80,)
    db.close()


def test_each_network_has_its_own_link(start, jpeg, link_of):
    server = start()
    with Client(server.url, providers=both(), network="wifi") as client:
        for _ in range(3):
            client.classify(jpeg)
        learned = link_of(client).model_.linear_.seen_
        client.network = "lte"
        assert link_of(client).model_.linear_.seen_ == 0
        client.network = "wifi"
        assert link_of(client).model_.linear_.seen_ == learned > 0


def test_closing_twice_and_using_a_closed_client(start, jpeg):
    client = Client(start().url)
    client.close()
    client.close()
    with pytest.raises(UsageError, match="closed"):
        client.classify(jpeg)
    with pytest.raises(UsageError, match="closed"):
        client.catalog()


def test_limits_of_the_catalog_are_kept_before_sending(start, jpeg):
    server = start()
    server.catalog["limits"]["max_payload_bytes"] = 1000
    with Client(server.url, providers=[OriginalProvider()]) as client:
        with pytest.raises(UsageError, match=r"the photo has \d+ bytes; the server takes at most 1000"):
            client.classify(jpeg)
        assert server.seen == []
    with Client(server.url, providers=both()) as client:
        assert client.classify(jpeg).route.name == "resized"


def test_an_unknown_variant_comes_through_as_the_servers_error(start, kind, jpeg, faults):
    server = start(kind)
    body = (
        b'{"error": "[unknown_variant] no variant \'x\'"}'
        if kind == "triton"
        else b'{"error": {"code": "unknown_variant", "message": "no variant \'x\'"}}'
    )
    server.faults.append(lambda handler: faults.send(handler, 404, body))
    with (
        Client(server.url, server=kind, providers=both()) as client,
        pytest.raises(RequestRefusedError, match="no variant") as caught,
    ):
        client.classify(jpeg, variant="x")
    assert (caught.value.status, caught.value.code) == (404, "unknown_variant")
    assert server.catalogs == 2  # it may have been new


@pytest.mark.parametrize("arguments", [
    {"photo": 5}, {"photo": b""}, {"photo": "/nowhere/at/all.jpg"}, {"top_k": 0}, {"top_k": 1001}, {"top_k": True},
    {"variant": ""}, {"variant": "a\nb"}, {"variant": "x" * 101},
])  # fmt: skip
def test_wrong_arguments(start, jpeg, arguments):
    with Client(start().url) as client, pytest.raises(UsageError):
        client.classify(**{"photo": jpeg, **arguments})


@pytest.mark.parametrize("arguments", [
    {"url": "ftp://x"}, {"url": "127.0.0.1:8000"}, {"url": "http://user:secret@host"}, {"url": "http://h:99999"},
    {"url": "http://h/?q=1"}, {"url": "http://"}, {"server": "onnx"}, {"timeout_s": 0}, {"timeout_s": float("nan")},
    {"retries": -1}, {"retries": 1.5}, {"network": ""}, {"token": "a\r\nb"}, {"token": ""}, {"transport": "quic"},
    {"url": "grpc://h", "server": "torchserve"}, {"url": "https://h", "ca_file": "/nowhere.pem"},
    {"providers": [OriginalProvider(), OriginalProvider()]},
])  # fmt: skip
def test_wrong_constructors(arguments):
    with pytest.raises(UsageError) as caught:
        Client(**{"url": "http://127.0.0.1:1", **arguments})
    assert "secret" not in str(caught.value)
