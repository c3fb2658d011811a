"""Workers and servers that die, and servers that are not where they should be, as the SDK sees them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from midspan_client import Client
from midspan_client.errors import ConnectError, WrongServerError
from midspan_conformance.exchange import NoAnswerError

FAULTY = {"enabled": ["faulty", "preprocess", "onnxruntime"]}
BOTTLECAP = 455


def seconds_until_full_service(server, subject, dead=None):
    """Until, twice in a row, of some requests at once each is right and all workers took part in answering them."""
    started = time.monotonic()
    rounds = 0
    while rounds < 2:
        assert time.monotonic() < started + 60, "full service did not come back"
        answered = subject.together([lambda: worker_that_answers(subject)] * 4)
        whole = None not in answered and dead not in answered
        rounds = rounds + 1 if whole and len(set(answered)) == server.config.server.workers else 0
    return time.monotonic() - started


def worker_that_answers(subject):
    """The process id of the worker that answered a request, or None if it was not answered."""
    try:
        answer = subject.classify(subject.picture, {"delay_s": 0.05})
    except NoAnswerError:  # the watchdog's last resort is to start the server again
        return None
    return answer.report["plugins"]["faulty"]["worker"] if answer.status == 200 else None


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_a_worker_is_killed_during_a_request(kind, start_server, subject_of, slow_client, busy_worker, photo, capsys):
    server = start_server(kind, watched=True, plugins=FAULTY)
    subject = subject_of(server)
    with slow_client(server, 0.5) as client, ThreadPoolExecutor(1) as pool:
        client.catalog()
        asked = pool.submit(client.classify, photo)
        victim = busy_worker(server)
        os.kill(victim, signal.SIGKILL)
        back_s = seconds_until_full_service(server, subject, victim)
        answer = asked.result(timeout=60)
    assert answer.predictions[0].index == BOTTLECAP
    assert answer.attempts > 1
    with capsys.disabled():
        print(f"\n{kind}: a worker was killed, full service was back after {back_s:.2f} s")


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_a_request_that_kills_every_worker_it_meets(kind, start_server, subject_of):
    server = start_server(kind, watched=True, plugins=FAULTY)
    subject = subject_of(server)
    answer = subject.classify(subject.picture, {"end_worker": True})
    assert answer.status == 500, str(answer)
    assert "healthy" in answer.message or "died" in answer.message
    with contextlib.suppress(NoAnswerError):
        assert subject.classify(subject.picture, {"end_worker": True}).status in (500, 503)
    seconds_until_full_service(server, subject)
    assert subject.good().report["predictions"][0]["index"] == subject.expected


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_the_server_is_killed_during_a_request(kind, start_server, slow_client, busy_worker, photo):
    server = start_server(kind, plugins=FAULTY, server={"workers": 1})
    with slow_client(server, 1.0) as client, ThreadPoolExecutor(1) as pool:
        client.catalog()
        asked = pool.submit(client.classify, photo)
        busy_worker(server)
        server.process.kill()
        with pytest.raises(ConnectError) as caught:
            asked.result(timeout=60)
        assert caught.value.attempts > 1
        server.restart()
        assert client.classify(photo).predictions[0].index == BOTTLECAP


def test_two_servers_ports_swapped(triton, torchserve, photo):
    with Client(triton.url, server="torchserve") as client, pytest.raises(WrongServerError, match="is it Triton"):
        client.classify(photo)
    with Client(torchserve.url, server="triton") as client, pytest.raises(WrongServerError, match="is it TorchServe"):
        client.classify(photo)
