"""The example package installed and enabled beside `preprocess`, on real servers, with the SDK on the other side."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from midspan_rawpixels import wire
from midspan_rawpixels.device import RawPixelsProvider

from midspan import manager
from midspan_client import Client, RequestRefusedError
from midspan_client.providers.original import OriginalProvider

TABLES = {"enabled": ["preprocess", "rawpixels", "onnxruntime"], "rawpixels": {"max_side_px": 512}}
SIDE_PX = 224


class Sender(OriginalProvider):
    """Sends a payload of ours in the photo's place; as the plain route it has nothing to fall back on."""

    def __init__(self, payload):
        self._payload = payload

    def execute(self, route, photo, session):
        return session.infer(self._payload, wire.CONTENT_TYPE)


@pytest.fixture(scope="module")
def photos():
    """Foolbox's 20 photos, each with its class."""
    found = importlib.util.find_spec("foolbox")
    paths = Path(found.submodule_search_locations[0]).glob("data/imagenet_*.jpg")
    return [(path, int(path.stem.rpartition("_")[2])) for path in sorted(paths)]


@pytest.fixture(params=["triton", "torchserve"])
def served(request, start_server):
    return start_server(request.param, plugins=TABLES, server={"workers": 1})


def test_both_halves_are_installed_as_entry_points():
    assert manager.installed()["rawpixels"].distribution == "midspan-rawpixels 0.1.0"


def test_the_client_finds_the_route_and_classifies_by_it(served, photos):
    with Client(served.url, server=served.kind) as client:
        assert client.catalog().plugins["rawpixels"] == {"version": 1, "max_side_px": 512}
        assert {route.name for route in client.explain(photos[0][0]).routes} >= {"original", "resized", "rawpixels"}
    with (
        Client(served.url, server=served.kind, providers=[RawPixelsProvider()]) as ours,
        Client(served.url, server=served.kind, providers=[OriginalProvider()]) as plain,
    ):
        right = 0
        for photo, label in photos:
            answer, expected = ours.classify(photo), plain.classify(photo).predictions
            assert (answer.route.name, answer.degraded, answer.warnings) == ("rawpixels", "", ())
            assert answer.bytes_up < 3 * SIDE_PX**2
            if expected[0].score - expected[1].score > 1:  # resizing on the device may tip what was close
                assert answer.predictions[0].index == expected[0].index
            right += answer.predictions[0].index == label
        assert right >= 17
        learned = ours.explain(photos[0][0]).route
        assert learned.bytes_up == pytest.approx(answer.bytes_up, rel=0.5)


def test_bad_pixels_are_refused_and_the_next_photo_is_answered(served, photos):
    photo, label = photos[0]
    good = wire.pack(SIDE_PX, bytes(3 * SIDE_PX**2))
    for payload, said in [
        (good[:-1], "says"),
        (good[:-1] + bytes([good[-1] ^ 1]), "checksum"),
        (wire.pack(SIDE_PX + 1, bytes(3 * (SIDE_PX + 1) ** 2)), "takes 224"),
        (wire.pack(513, bytes(3 * 513**2)), "at most 512"),
        (b"MRPX", "too few"),
        (b"\0" * 100, "not with our magic"),
    ]:
        with Client(served.url, server=served.kind, providers=[Sender(payload)]) as client:
            with pytest.raises(RequestRefusedError, match=said) as refused:
                client.classify(photo)
            assert refused.value.status == 400
    with Client(served.url, server=served.kind, providers=[RawPixelsProvider()]) as client:
        assert client.classify(photo).predictions[0].index == label


def test_a_server_without_the_plugin_is_offered_no_such_route(start_server, photos):
    served = start_server("triton", server={"workers": 1})
    with Client(served.url) as client:
        assert "rawpixels" not in {route.name for route in client.explain(photos[0][0]).routes}
    sender = Sender(wire.pack(1, b"123"))
    refused = pytest.raises(RequestRefusedError, match="no plug-in knows this payload")
    with Client(served.url, providers=[sender]) as client, refused:
        client.classify(photos[0][0])
