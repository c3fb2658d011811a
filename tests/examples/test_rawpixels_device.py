"""The example's device half by itself: what it offers, what it predicts, what it learns."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from midspan_rawpixels import wire
from midspan_rawpixels.device import RawPixelsProvider
from PIL import Image

from midspan.estimate.link import LinkModel
from midspan_client import Catalog, Context, Objective, Outcome, Photo, ServerAnswer, VariantInfo

TELLS = {"rawpixels": {"version": wire.VERSION, "max_side_px": 100}}
SMALL = VariantInfo("small", side_px=32, resize_px=40, accuracy=0.5, server_s={"run": 0.02})
LARGE = VariantInfo("large", side_px=101, resize_px=120)


class Kept:
    """Models of one provider, kept in a table."""

    def __init__(self):
        self.models = {}

    def get(self, name, make, *, per_network=False, shared=False):
        return self.models.setdefault(name, make())


class Exchange:
    """A session that keeps what was sent."""

    def infer(self, payload, content_type="", parameters=None):
        self.sent = payload, content_type, parameters
        return ServerAnswer({"variant": "small"})

    def device(self):
        return io.BytesIO()  # a context manager that does nothing


def photo(mode="RGB", image_format="PNG"):
    pixels = np.random.default_rng(3).integers(0, 256, (50, 70, 4), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, image_format)
    return Photo(file.getvalue())


def catalog(plugins=TELLS, variants=(SMALL, LARGE)):
    return Catalog(variants, variants[0].name, plugins=plugins)


def predict(provider, models):
    [candidate] = provider.enumerate(photo(), catalog())
    return provider.predict(candidate, Context(photo(), catalog(), Objective(), LinkModel().forecast(0.0), models))


def test_it_offers_every_variant_within_the_servers_limit():
    assert [one.variant.name for one in RawPixelsProvider().enumerate(photo(), catalog())] == ["small"]


@pytest.mark.parametrize(
    "told",
    [None, "yes", {}, {"version": 2, "max_side_px": 100}, {"version": 1}, {"version": 1, "max_side_px": "100"}],
)
def test_it_offers_nothing_where_the_server_half_is_missing_or_another(told):
    assert not RawPixelsProvider().enumerate(photo(), catalog({"rawpixels": told}))
    assert not RawPixelsProvider().enumerate(photo(), catalog({}))


def test_it_offers_nothing_for_pictures_that_the_server_treats_by_rules_of_its_own():
    assert not RawPixelsProvider().enumerate(photo("RGBA"), catalog())
    assert not RawPixelsProvider().enumerate(Photo(b"no picture"), catalog())


def test_it_offers_nothing_without_pillow(monkeypatch):
    taken = photo()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert not RawPixelsProvider().enumerate(taken, catalog())


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_it_sends_the_pixels_of_the_middle(mode):
    provider, exchange = RawPixelsProvider(), Exchange()
    route = predict(provider, Kept())
    provider.execute(route, photo(mode), exchange)
    payload, content_type, _ = exchange.sent
    frame = wire.read(payload, 100)
    assert (frame.side_px, content_type, route.codec) == (32, wire.CONTENT_TYPE, "zlib")
    pixels = np.frombuffer(frame.pixels(), np.uint8).reshape(32, 32, 3)
    assert (mode == "L") == bool((pixels[:, :, 0] == pixels[:, :, 2]).all())


def test_predictions_follow_what_was_measured():
    provider, models = RawPixelsProvider(), Kept()
    first = predict(provider, models)
    assert (first.variant, first.accuracy, first.server_s) == ("small", 0.5, pytest.approx(0.02))
    for _ in range(30):
        measured = Outcome(photo(), ServerAnswer(), 0.05, 0.1, 0.08, 2500, models)
        provider.learn(predict(provider, models), measured)
    route = predict(provider, models)
    assert route.device_s == pytest.approx(0.05, rel=0.05)
    assert route.server_s == pytest.approx(0.08, rel=0.05)
    assert route.bytes_up == pytest.approx(2500, rel=0.05)
    assert route.send_s == LinkModel().forecast(0.0).transfer_s(route.bytes_up)
    provider.learn(route, Outcome(photo(), ServerAnswer(), 0.05, 0.1, None, 2500, models))  # a server that says nothing
