"""A device changes networks when it likes, also while a request is under way."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing

import pytest

from midspan.estimate.linear import OnlineLinear
from midspan.routing.route import Route
from midspan_client import Client, RequestTimeoutError
from midspan_client.providers.original import OriginalProvider


def zero():
    return OnlineLinear((0.0,))


class Mover(OriginalProvider):
    """Changes the network between decision and answer; keeps one model per network and one for all."""

    name = "mover"
    client = None
    moves = ()

    def predict(self, candidate, context):
        context.models.get("here", zero, per_network=True).predict_one((1.0,))
        return Route("moving", self.name, candidate.variant.name, 1, 0.0, 0.0, 0.0)

    def execute(self, route, photo, session):
        for network in self.moves:
            self.client.network = network
        return session.infer(photo.data)

    def learn(self, route, outcome):
        outcome.models.get("here", zero, per_network=True).learn_one((1.0,), 1.0)
        outcome.models.get("device", zero).learn_one((1.0,), 1.0)


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def client(server, tmp_path):
    mover = Mover()
    with Client(server.url, providers=[mover], network="wifi", store=tmp_path / "s.sqlite") as client:
        mover.client = client
        client.catalog()
        yield client


@pytest.fixture
def mover(client):
    return client._decider._providers["mover"]


def seen(client, network, name):
    return client._memory.model(client._store.network_id(network) if network else "", name, zero).seen_


def links(client):
    ids = map(client._store.network_id, ("wifi", "lte"))
    places = [client._memory.place._replace(network=network) for network in ids]
    return [client._memory.link(place).model_.linear_.seen_ for place in places]


def test_a_request_on_one_network_teaches_it(client, jpeg):
    client.network = "wifi"
    client.classify(jpeg)
    client.network = "lte"
    client.classify(jpeg)
    client.classify(jpeg)
    assert links(client) == [1, 2]
    assert [seen(client, network, "mover/here") for network in ("wifi", "lte")] == [1, 2]
    assert seen(client, "", "mover/device") == 3


@pytest.mark.parametrize("moves", [["lte"], ["lte", "wifi"], ["lte"] * 3, ["x", "y", "lte"]])
def test_a_change_under_way_teaches_neither_network(client, mover, jpeg, moves, tmp_path):
    client.classify(jpeg)
    mover.moves = moves
    answer = client.classify(jpeg)
    mover.moves = ()
    assert (answer.label, answer.warnings) == ("cat", ())
    assert links(client) == [1, 0]
    assert [seen(client, network, "mover/here") for network in ("wifi", "lte")] == [1, 0]
    assert seen(client, "", "mover/device") == 2
    client.close()
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as db:
        rows = db.execute("SELECT network, teaches FROM decisions").fetchall()
    assert rows == [(client._store.network_id("wifi"), 1), (client._store.network_id("wifi"), 0)]


def test_to_say_the_same_again_is_no_change(client, mover, jpeg):
    mover.moves = ["wifi"] * 3
    client.classify(jpeg)
    assert links(client) == [1, 0]
    assert seen(client, "wifi", "mover/here") == 1


def test_a_network_that_is_forgotten_under_way(client, mover, jpeg):
    mover.moves = [f"train {number}" for number in range(100)]
    assert client.classify(jpeg).warnings == ()
    assert len(client._memory._models) <= 65
    assert seen(client, "", "mover/device") == 1
    assert links(client) == [0, 0]


def test_a_timeout_on_two_networks_teaches_neither(server, jpeg):
    release = threading.Event()
    server.faults.append(lambda handler: release.wait(10) and False)
    mover = Mover()
    with Client(server.url, providers=[mover], network="wifi", timeout_s=0.2) as client:
        mover.client, mover.moves = client, ["lte"]
        with pytest.raises(RequestTimeoutError):
            client.classify(jpeg)
        release.set()
        assert links(client) == [0, 0]


def test_the_plain_photo_after_a_failure_is_of_the_same_request(client, mover, jpeg, server, faults):
    mover.moves = ["lte"]
    server.faults.append(lambda handler: faults.send(handler, 400, b'{"error": "[bad_parameter] no"}'))
    assert client.classify(jpeg).degraded
    assert links(client) == [0, 0]


def test_many_threads_and_networks(server, jpeg):
    with Client(server.url, providers=[OriginalProvider()]) as client:
        stop, errors = threading.Event(), []

        def ask():
            try:
                for _ in range(20):
                    assert client.classify(jpeg).warnings == ()
            except Exception as error:
                errors.append(error)

        def move():
            rng = random.Random(5)
            while not stop.is_set():
                client.network = f"cell {rng.randrange(200)}"
                stop.wait(0.0005)

        mover, askers = threading.Thread(target=move), [threading.Thread(target=ask) for _ in range(4)]
        for thread in (mover, *askers):
            thread.start()
        for thread in askers:
            thread.join()
        stop.set()
        mover.join()
        assert errors == []
        assert len(client._memory._models) <= 65
