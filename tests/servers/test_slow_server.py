"""A server that takes 200 ms for a request, one at a time, with room for two that wait."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from midspan_client import Answer, Client
from midspan_client.errors import UnavailableError
from midspan_client.providers.original import OriginalProvider

DELAY_S = 0.2


def test_what_the_server_takes_is_not_the_links(slow_server, photo):
    """Transfer time is what the client measured less what the server reported."""
    with Client(slow_server.url, server=slow_server.kind, retries=0) as client:
        answers = [client.classify(photo) for _ in range(8)]
        predicted = next(route for route in client.explain(photo).routes if route.name == "original")
    assert min(answer.measured.server_s for answer in answers) >= DELAY_S
    assert statistics.median(answer.measured.send_s for answer in answers) < DELAY_S / 2
    assert predicted.send_s < DELAY_S / 2
    assert predicted.server_s > DELAY_S / 2


def test_the_queue_of_a_crowd_is_not_the_links(slow_server, photo):
    """Three clients share one worker: most of the time their photos wait for each other, and the server says so."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(Client(slow_server.url, server=slow_server.kind, providers=[OriginalProvider()]))
            for _ in range(3)
        ]

        def ask(client):
            return [client.classify(photo) for _ in range(12)]

        with ThreadPoolExecutor(len(clients)) as pool:
            answers = [answer for some in pool.map(ask, clients) for answer in some]
        for client in clients:  # alone again
            for _ in range(4):
                client.classify(photo)
        predicted_s = [client.explain(photo).route.send_s for client in clients]
    assert statistics.median(answer.total_s for answer in answers) > 1.5 * DELAY_S  # they did wait
    assert statistics.median(answer.report["stages_s"]["queue"] for answer in answers) > DELAY_S / 4
    assert statistics.median(answer.measured.send_s for answer in answers) < DELAY_S / 2
    assert max(predicted_s) < DELAY_S / 4


def test_too_many_at_once_get_an_answer_or_a_typed_refusal(slow_server, photo):
    def ask(_):
        try:
            return client.classify(photo)
        except UnavailableError as error:
            return error

    with Client(slow_server.url, server=slow_server.kind, retries=0) as client:
        client.classify(photo)
        with ThreadPoolExecutor(12) as pool:
            results = list(pool.map(ask, range(12)))
        assert client.classify(photo).predictions[0].index == 455
    assert {type(result) for result in results} == {Answer, UnavailableError}
    assert all(str(result) for result in results)
