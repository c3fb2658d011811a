"""What the two built-in routes predict, component by component, and what they learn."""

from __future__ import annotations

import random
import struct

import pytest

from midspan.estimate.link import LinkForecast
from midspan.routing.objective import Objective
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, PreprocessedInfo, VariantInfo
from midspan_client.photo import Photo
from midspan_client.provider import Context, Models, Outcome
from midspan_client.providers.costs import CHANCES
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.servermodel import ServerModel

LINK = LinkForecast(rtt_s=0.02, s_per_byte=1e-6, relative_sd=0.1)


class Kept(Models):
    """Models in a dictionary."""

    def __init__(self):
        self.made = {}

    def get(self, name, make, *, per_network=False, shared=False):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]


def photo(size_bytes=400_000, width_px=1500, height_px=1000):
    frame = struct.pack(">HBHHB", 17, 8, height_px, width_px, 3) + bytes([1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1])
    head = b"\xff\xd8\xff\xc0" + frame
    return Photo(head + bytes(size_bytes - len(head)))


def catalog(**more):
    variant = VariantInfo("v", side_px=224, resize_px=256, interpolation="bicubic", macs=400_000_000, **more)
    return Catalog((variant,), "v")


def predicted(provider, models, shot, offer=None, at_s=0.0):
    offer = offer or catalog()
    (candidate,) = provider.enumerate(shot, offer)
    return provider.predict(candidate, Context(shot, offer, Objective(), LINK, models, at_s))


def outcome(models, shot, bytes_up, *, device_s=0.0, prepare_s=0.01, fixed_s=0.02, extra=None, at_s=0.0):
    stages_s = {"decode": prepare_s / 2, "prepare": prepare_s / 2, "run": fixed_s}
    report = {"server_s": prepare_s + fixed_s, "stages_s": stages_s}
    if extra is not None:
        report["plugins"] = {"preprocess": {"server_model": extra}}
    return Outcome(shot, ServerAnswer(report), device_s, 0.1, prepare_s + fixed_s, bytes_up, models, at_s)


@pytest.mark.parametrize("provider", [OriginalProvider(), ResizedProvider()])
def test_the_parts_are_what_the_sums_are_made_of(provider):
    route = predicted(provider, Kept(), photo())
    parts = {part.name: part for part in route.parts}
    assert set(parts) - {"device"} == {"link", "prepare", "fixed"}
    assert parts["link"].seconds == route.send_s == LINK.transfer_s(route.bytes_up)
    assert parts["link"].sd_s == LINK.sd_s(route.bytes_up)
    assert parts["prepare"].seconds + parts["fixed"].seconds == route.server_s
    assert route.device_s == (parts["device"].seconds if "device" in parts else 0.0)
    assert all(part.sd_s > 0 for part in route.parts)


@pytest.mark.parametrize(
    "shot", [photo(size_bytes=12_000), photo(width_px=224, height_px=224), photo(width_px=100, height_px=400)]
)
def test_small_files_and_small_pictures_need_no_model(shot):
    assert ResizedProvider().enumerate(shot, catalog()) == []
    assert len(OriginalProvider().enumerate(shot, catalog())) == 1


def test_what_counts_as_a_small_file_is_what_was_measured():
    measured = catalog(accuracy=0.8, preprocessed=(PreprocessedInfo(90, agreement=0.99, bytes_mean=50_000.0),))
    assert ResizedProvider().enumerate(photo(size_bytes=49_000), measured) == []
    assert len(ResizedProvider().enumerate(photo(size_bytes=51_000), measured)) == 1


def test_the_sent_size_is_learned_for_each_photo():
    provider, models, rng = ResizedProvider(), Kept(), random.Random(3)
    for _ in range(60):
        density = rng.uniform(0.1, 1.0)
        shot = photo(size_bytes=int(1.5e6 * density))
        route = predicted(provider, models, shot)
        sent_bytes = int(224**2 * (0.1 + 0.3 * density) * rng.uniform(0.9, 1.1))
        provider.learn(route, outcome(models, shot, sent_bytes, device_s=0.05))
    plain, rich = (predicted(provider, models, photo(size_bytes=int(1.5e6 * d))).bytes_up for d in (0.2, 0.9))
    assert plain == pytest.approx(224**2 * 0.16, rel=0.1)
    assert rich == pytest.approx(224**2 * 0.37, rel=0.1)


def test_each_component_is_learned_from_its_own_measurement():
    provider, models, rng = ResizedProvider(), Kept(), random.Random(4)
    for _ in range(80):
        shot = photo(size_bytes=rng.randrange(50_000, 2_000_000))
        route = predicted(provider, models, shot)
        device_s = (0.04 + 0.1 * shot.megabytes) * rng.uniform(0.95, 1.05)
        provider.learn(route, outcome(models, shot, 15_000, device_s=device_s, prepare_s=0.002, fixed_s=0.03))
    parts = {part.name: part.seconds for part in predicted(provider, models, photo(size_bytes=1_000_000)).parts}
    assert parts["device"] == pytest.approx(0.14, rel=0.1)
    assert parts["prepare"] == pytest.approx(0.002, rel=0.1)
    assert parts["fixed"] == pytest.approx(0.03, rel=0.1)


def test_a_bad_first_try_condemns_no_route():
    provider, models, shot = ResizedProvider(), Kept(), photo()
    fresh = predicted(provider, models, shot)
    for tries in range(1, CHANCES + 2):
        provider.learn(fresh, outcome(models, shot, 15_000, device_s=3.0, fixed_s=2.0))
        route = predicted(provider, models, shot)
        if tries < CHANCES:
            assert route.device_s <= fresh.device_s
        else:
            assert route.device_s > 1.0
            assert route.server_s > 1.0


def test_a_route_that_became_slow_is_tried_again_when_that_is_long_ago():
    provider, models, shot = ResizedProvider(), Kept(), photo()
    for i in range(40):
        provider.learn(predicted(provider, models, shot), outcome(models, shot, 15_000, device_s=0.1, at_s=float(i)))
    for i in range(40, 44):
        provider.learn(predicted(provider, models, shot), outcome(models, shot, 15_000, device_s=0.8, at_s=float(i)))
    assert predicted(provider, models, shot, at_s=44.0).device_s > 0.5
    assert predicted(provider, models, shot, at_s=20_000.0).device_s < 0.2


KNOWN = {
    "version": 3,
    "prepare_s": [0.001, 0.05, 0.004],
    "prepare_relative_sd": 0.1,
    "fixed_s": 0.03,
    "fixed_relative_sd": 0.1,
    "samples": 500,
}


def test_the_servers_model_is_the_prior():
    known = ServerModel(3, (0.001, 0.05, 0.004), 0.1, 0.03, 0.1, 500)
    for provider in (OriginalProvider(), ResizedProvider()):
        shot = photo(size_bytes=1_000_000)
        route = predicted(provider, Kept(), shot, catalog(server_model=known))
        sent = shot.megabytes if provider.name == "original" else route.bytes_up / 1e6
        seen = shot.megapixels if provider.name == "original" else 224**2 / 1e6
        assert route.server_s == pytest.approx(known.prepare_s(sent, seen) + 0.03)


def test_a_model_that_rides_on_an_answer_tells_what_was_never_measured_here():
    provider, models = OriginalProvider(), Kept()
    small, large = photo(size_bytes=50_000, width_px=400, height_px=300), photo(4_000_000, 4000, 3000)
    prepare_s = 0.001 + 0.05 * small.megabytes + 0.004 * small.megapixels
    guessed = predicted(provider, models, large).server_s
    route = predicted(provider, models, small)
    for _ in range(30):
        provider.learn(route, outcome(models, small, 50_000, prepare_s=prepare_s, fixed_s=0.03, extra=KNOWN))
    told = predicted(provider, models, large).server_s
    assert guessed < 0.05
    assert told == pytest.approx(0.001 + 0.05 * 4 + 0.004 * 12 / 4**2 + 0.03, rel=0.15)  # decoded at 1/4


def test_an_absurd_model_on_an_answer_changes_nothing():
    for absurd in ({**KNOWN, "prepare_s": [0.0, 1e9, 0.0]}, {**KNOWN, "fixed_s": float("nan")}, [1], {"version": -1}):
        with_it, without = Kept(), Kept()
        provider, shot = OriginalProvider(), photo()
        for models, extra in ((with_it, absurd), (without, None)):
            provider.learn(predicted(provider, models, shot), outcome(models, shot, 400_000, extra=extra))
        assert predicted(provider, with_it, shot).server_s == predicted(provider, without, shot).server_s


def test_a_server_that_tells_the_sum_alone_teaches_the_sum():
    provider, models, shot = OriginalProvider(), Kept(), photo()
    for _ in range(10):
        answer = ServerAnswer({"server_s": 0.2})
        provider.learn(predicted(provider, models, shot), Outcome(shot, answer, 0.0, 0.1, 0.2, 400_000, models))
    assert predicted(provider, models, shot).server_s == pytest.approx(0.2, rel=0.1)


def test_a_cold_server_condemns_no_route():
    """What the server took is learned for both routes, whoever met it."""
    models, shot = Kept(), photo()
    resized, original = ResizedProvider(), OriginalProvider()
    before = predicted(original, models, shot).server_s - predicted(resized, models, shot).server_s
    for _ in range(10):
        resized.learn(predicted(resized, models, shot), outcome(models, shot, 15_000, device_s=0.1, fixed_s=2.0))
    after = predicted(original, models, shot), predicted(resized, models, shot)
    assert min(route.server_s for route in after) > 1.0
    assert after[0].server_s - after[1].server_s == pytest.approx(before, abs=0.05)


def test_each_kind_of_picture_has_its_own_models():
    provider, models, shot = ResizedProvider(), Kept(), photo()
    png = Photo(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">IIBB", 1500, 1000, 8, 2) + bytes(400_000))
    fresh = predicted(provider, models, png)
    for _ in range(10):
        provider.learn(predicted(provider, models, shot), outcome(models, shot, 30_000, device_s=0.5))
    after = predicted(provider, models, png)
    assert (after.device_s, after.bytes_up) == (fresh.device_s, fresh.bytes_up)
    assert predicted(provider, models, shot).device_s > 0.3
