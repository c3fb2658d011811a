"""The seam of four verbs: strangers bring routes, and their failures stay theirs."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import pytest

from midspan.estimate.linear import OnlineLinear
from midspan.routing.route import Route
from midspan_client import Candidate, Client, RequestRefusedError, ServerAnswer
from midspan_client import providers as group
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider


class Stranger:
    """Claims to be quick; sends two requests, or none."""

    name = "stranger"
    requests = 2

    def enumerate(self, photo, catalog):
        return [Candidate("twice", variant) for variant in catalog.variants]

    def predict(self, candidate, context):
        seconds = context.models.get("s", lambda: OnlineLinear((0.0,), nonnegative=True)).predict_one((1.0,))
        return Route("twice", self.name, candidate.variant.name, 1, 0.0, seconds, 0.0, plan={"note": 7})

    def execute(self, route, photo, session):
        assert route.plan["note"] == 7
        with session.device():
            half = photo.data[: len(photo.data) // 2]
        answers = [session.infer(half, parameters={"top_k": 1}) for _ in range(self.requests)]
        return answers[-1] if answers else ServerAnswer({"predictions": [{"index": 0, "label": "me", "score": 1}]})

    def learn(self, route, outcome):
        outcome.models.get("s", lambda: OnlineLinear((0.0,), nonnegative=True)).learn_one((1.0,), outcome.send_s)


def broken(verb):
    def fail(self, *args):
        raise RuntimeError("boom")

    return type("Broken", (Stranger,), {verb: fail, "name": "broken"})()


def test_a_stranger_may_send_several_requests(start, jpeg):
    server = start()
    with Client(server.url, providers=[OriginalProvider(), Stranger()]) as client:
        answer = client.classify(jpeg)
    assert (answer.route.name, answer.attempts, len(server.seen)) == ("twice", 2, 2)
    assert answer.bytes_up == 2 * (len(jpeg) // 2)
    assert server.seen[0].parameters == {"top_k": 1, "variant": "lite0"}


def test_a_stranger_may_send_none(start, jpeg):
    server = start()
    local = type("Local", (Stranger,), {"requests": 0})()
    with Client(server.url, providers=[local]) as client:
        answer = client.classify(jpeg)
    assert (answer.label, answer.attempts, answer.bytes_up, server.seen) == ("me", 0, 0, [])
    assert answer.measured.total_s == pytest.approx(answer.total_s, rel=0.05)
    assert answer.variant == "lite0"


@pytest.mark.parametrize("verb", ["enumerate", "predict"])
def test_a_failure_costs_the_strangers_routes_only(start, jpeg, verb):
    server = start()
    with Client(server.url, providers=[broken(verb), OriginalProvider()]) as client:
        answer = client.classify(jpeg)
    assert answer.route.name == "original"
    assert answer.degraded == ""
    assert len(answer.warnings) == 1
    assert "'broken' could offer no route: RuntimeError: boom" in answer.warnings[0]


def test_a_failure_to_learn_costs_the_lesson_only(start, jpeg):
    with Client(start().url, providers=[broken("learn")]) as client:
        answer = client.classify(jpeg)
    assert answer.route.name == "twice"
    assert "could not learn" in answer.warnings[0]


def test_a_failure_to_execute_sends_the_plain_photo(start, jpeg):
    server = start()
    with Client(server.url, providers=[broken("execute"), OriginalProvider()]) as client:
        answer = client.classify(jpeg)
    assert answer.route.name == "original"
    assert "route 'twice' failed: RuntimeError: boom" in answer.degraded
    assert [seen.payload for seen in server.seen] == [jpeg]


def test_if_the_plain_photo_fails_too_its_error_comes_through(start, jpeg, faults):
    server = start()
    server.faults.append(lambda handler: faults.send(handler, 400, b'{"error": "[bad_payload] no"}'))
    with Client(server.url, providers=[broken("execute")]) as client, pytest.raises(RequestRefusedError, match="no"):
        client.classify(jpeg)


def test_only_broken_providers_still_send_the_photo(start, jpeg):
    with Client(start().url, providers=[broken("predict")]) as client:
        answer = client.classify(jpeg)
    assert answer.label == "cat"
    assert "no provider" in answer.degraded
    assert len(answer.warnings) == 1


@pytest.mark.parametrize("result", [
    None, 5, "route",
    lambda: Route("r", "somebody else", "lite0", 1, 0.0, 0.0, 0.0),
    lambda: Route("r", "broken", "lite0", 1, math.nan, 0.0, 0.0),
    lambda: Route("r", "broken", "lite0", -1, 0.0, 0.0, 0.0),
])  # fmt: skip
def test_predictions_of_nonsense_are_refused(start, jpeg, result):
    class Nonsense(Stranger):
        name = "broken"

        def predict(self, candidate, context):
            return result() if callable(result) else result

    with Client(start().url, providers=[Nonsense(), OriginalProvider()]) as client:
        answer = client.classify(jpeg)
    assert answer.route.name == "original"
    assert "broken" in answer.warnings[0]


def test_what_a_stranger_learned_is_saved(start, jpeg, tmp_path):
    server = start()
    for expected in (0, 3):
        with Client(server.url, providers=[Stranger()], store=tmp_path / "s.sqlite") as client:
            model = client._memory.model("", "stranger/s", lambda: OnlineLinear((0.0,), nonnegative=True))
            assert model.seen_ == expected
            for _ in range(3):
                client.classify(jpeg)


def test_the_built_in_ones_are_found_like_a_strangers():
    found = {entry.name: entry.value for entry in group.find()}
    assert found["original"] == "midspan_client.providers.original:OriginalProvider"
    assert found["resized"] == "midspan_client.providers.resized:ResizedProvider"


def test_entry_points_that_cannot_be_used_are_reported():
    def entry(name, value):
        return EntryPoint(name, value, group.GROUP)

    entries = [
        entry("original", "midspan_client.providers.original:OriginalProvider"),
        entry("again", "midspan_client.providers.original:OriginalProvider"),
        entry("gone", "no_such_module:Provider"),
        entry("lacking", "midspan_client.retry:Retry"),
    ]
    providers, problems = group.load(entries)
    assert [provider.name for provider in providers] == ["original"]
    assert len(problems) == 3
    assert "another provider is named 'original'" in problems[0]
    assert "ModuleNotFoundError" in problems[1]
    assert "lacks enumerate, predict, execute, learn" in problems[2]


class TinyEngine:
    """A phone's own runtime."""

    def decode(self, data, at_least_px):
        return len(data), at_least_px

    def resize(self, image, resize_px, side_px):
        return (*image, resize_px, side_px)

    def encode(self, image, quality):
        return repr((*image, quality)).encode()


def test_an_app_brings_its_own_engine(start, jpeg):
    server = start()
    with Client(server.url, providers=[ResizedProvider(engine=TinyEngine())]) as client:
        client.classify(jpeg)
    assert server.seen[0].payload == repr((len(jpeg), 512, 256, 224, 90)).encode()


@pytest.mark.parametrize("change", [
    {"parameters": ["top_k"]}, {"variants": [{"name": "lite0"}]},
    {"variants": [{"name": "lite0", "side_px": 224, "resize_px": 256, "interpolation": "lanczos"}]},
    {"variants": [{"name": "lite0", "side_px": 224, "resize_px": 100}]},
])  # fmt: skip
def test_the_resized_route_is_offered_only_where_it_can_be_right(start, jpeg, change):
    server = start()
    server.catalog.update(change)
    with Client(server.url, providers=[OriginalProvider(), ResizedProvider()]) as client:
        assert [route.name for route in client.explain(jpeg).routes] == ["original"]
