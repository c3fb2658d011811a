"""No request waits for company that nobody asked for."""

from __future__ import annotations

import json

from midspan.deploy.http import send


def test_torchserve_takes_the_shortest_delay_there_is(torchserve):
    url = f"http://127.0.0.1:{torchserve.config.server.management_port}/models/midspan"
    status, body = send("GET", url, None, {}, 10.0)
    assert status == 200
    assert json.loads(body)[0]["maxBatchDelay"] == 1, "it takes 0 for not given, and that for 100 ms"


def test_triton_holds_nothing_back(triton):
    status, body = send("GET", f"{triton.url}/v2/models/midspan/config", None, {}, 10.0)
    assert status == 200
    assert json.loads(body)["dynamic_batching"]["max_queue_delay_microseconds"] == 0
