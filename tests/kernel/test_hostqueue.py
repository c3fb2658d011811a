from __future__ import annotations

import http.server
import json
import threading

import pytest

from midspan.config import ServerConfig
from midspan.hostqueue import HostQueue, torchserve_reading, triton_reading


class Counters:
    """Readings that a test sets, and a way to wait until they were taken."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.taken = threading.Semaphore(0)

    def __call__(self):
        self.taken.release()
        if not self.readings:
            raise ConnectionRefusedError
        return self.readings.pop(0)


def test_the_mean_is_that_of_the_requests_between_two_readings():
    queue = HostQueue(Counters((10.0, 100), (10.6, 102), (10.6, 102), (11.6, 112)))
    means = []
    for _ in range(4):
        queue.look()
        means.append(queue._mean_s)
    queue.close()
    queue.close()
    assert means == [None, pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.1)]


def test_an_old_mean_and_an_unreadable_host_are_no_knowledge():
    now = [0.0]
    counters = Counters((0.0, 0), (1.0, 2))
    queue = HostQueue(counters, every_s=1.0, clock=lambda: now[0])
    queue.look()
    queue.look()
    assert queue._mean_s == 0.5
    now[0] = 5.0
    assert queue.mean_s() is None
    assert counters.taken.acquire(timeout=10)
    queue.look()
    assert queue._mean_s is None
    queue.close()


@pytest.fixture
def host():
    """A server that answers every GET with one body."""
    body = [b""]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body[0])))
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.server_address[1]
    yield ServerConfig(http_port=port, metrics_port=port), body
    server.shutdown()
    thread.join()
    server.server_close()


def test_both_hosts_counters_are_read(host):
    config, body = host
    body[0] = json.dumps({"model_stats": [{"inference_stats": {"queue": {"count": 3, "ns": 1_500_000_000}}}]}).encode()
    assert triton_reading(config) == (1.5, 3)
    body[0] = (
        b'ts_queue_latency_microseconds{model_name="midspan",model_version="default",hostname="vm",} 2500000.5\n'
        b'ts_inference_requests_total{model_name="midspan",model_version="default",hostname="vm",} 87.0\n'
    )
    assert torchserve_reading(config) == (pytest.approx(2.5), 87)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"model_stats": []}', b"\xff\xff", b"null"])
def test_nonsense_raises_what_the_thread_expects(host, text):
    config, body = host
    body[0] = text
    for read in (triton_reading, torchserve_reading):
        with pytest.raises((ValueError, LookupError, TypeError)):
            read(config)
