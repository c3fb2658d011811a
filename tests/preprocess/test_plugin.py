from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from preprocess_pictures import PREP, SMALL, encode, tensor, textured

from midspan import manager
from midspan.builtin.preprocess import PreprocessPlugin
from midspan.bundle import Block, Family, Variant
from midspan.config import PluginsConfig
from midspan.errors import BadPayloadError, PayloadTooLargeError, PluginError
from midspan.hoststore import HostStore
from midspan.servermodel.trainer import name_of
from midspan.types import Context, Decoded, Record, Request


def variant(preprocessing):
    return Variant(
        name=f"side{preprocessing.side_px}",
        graph="none.onnx",
        sha256="",
        input_name="input",
        output_name="scores",
        classes=2,
        preprocessing=preprocessing,
        blocks=(Block("all", "scores", (2,), 0),),
        macs=0,
        graph_bytes=0,
    )


FAMILY = Family("none", "side28", ("a", "b"), (variant(SMALL), variant(PREP)))


@pytest.fixture
def make_hook(tmp_path):
    """The hooks of a manager with the plug-in as it is installed, configured with `options`."""
    store, made = HostStore(tmp_path / "host.sqlite", flush_s=0), []

    def make(**options):
        config = PluginsConfig(enabled=("preprocess",), options={"preprocess": options} if options else {})
        plugins = manager.build_manager(config)
        made.append(plugins)
        manager.configure(plugins, config, Context(FAMILY, store, lambda: 0.0))
        return plugins.hook

    yield make
    for plugins in made:
        manager.close(plugins)
    store.close()


def test_the_entry_point_is_the_plugin():
    assert manager.installed()["preprocess"].entry_point.load() is PreprocessPlugin


@pytest.mark.parametrize("chosen", FAMILY.variants, ids=lambda chosen: chosen.name)
def test_one_picture_becomes_the_input_of_any_variant(make_hook, chosen):
    hook, payload = make_hook(), encode(textured(90, 60), "JPEG")
    request = Request(payload, "image/jpeg")
    decoded = hook.midspan_decode(request=request)
    assert decoded.kind == "image"
    assert decoded.variant is None
    prepared = hook.midspan_prepare(request=request, decoded=decoded, variant=chosen)
    assert prepared.cut == 0
    assert np.array_equal(prepared.tensor, tensor(payload, chosen.preprocessing))


def test_preprocessed_pictures_are_not_cropped_again(make_hook):
    hook, payload = make_hook(), encode(textured(28, 28), "PNG")
    tensors = []
    for parameters in ({"preprocessed": True}, {"preprocessed": False}, {}):
        request = Request(payload, "", parameters)
        decoded = hook.midspan_decode(request=request)
        tensors.append(hook.midspan_prepare(request=request, decoded=decoded, variant=FAMILY.variants[0]).tensor)
    assert np.array_equal(tensors[0], tensor(payload, SMALL, preprocessed=True))
    assert np.array_equal(tensors[1], tensors[2])
    assert not np.array_equal(tensors[0], tensors[1])


def test_other_payloads_are_left_to_other_plugins(make_hook):
    hook = make_hook()
    assert hook.midspan_decode(request=Request(b"MSPN\1code", "application/x-midspan-code")) is None
    other = Decoded("tensor", np.zeros(3))
    assert hook.midspan_prepare(request=Request(b"x"), decoded=other, variant=FAMILY.variants[0]) is None


def test_bad_payloads_are_refused_before_a_variant_is_chosen(make_hook):
    hook = make_hook(max_pixels=100)
    with pytest.raises(PayloadTooLargeError, match="at most 100 are allowed"):
        hook.midspan_decode(request=Request(encode(textured(11, 10), "PNG")))
    with pytest.raises(BadPayloadError, match="look like text: 'hello'"):
        hook.midspan_decode(request=Request(b"hello", "image/jpeg"))


def test_devices_are_told_the_formats_and_the_limit(make_hook):
    assert make_hook(max_pixels=7).midspan_describe() == [{"formats": ["JPEG", "PNG", "WEBP"], "max_pixels": 7}]


def record_of(request, decoded, error=""):
    stages_s = {"queue": 0.5, "decode": 0.001, "select": 0.0, "prepare": 0.02, "run": 0.008, "other": 0.001}
    return Record(request, "side28", 0, stages_s, 0.53, 1, error, decoded)


def test_what_an_answered_picture_cost_is_kept_and_nothing_else(make_hook, tmp_path):
    hook, request = make_hook(), Request(encode(textured(1000, 600), "JPEG"))
    decoded = hook.midspan_decode(request=request)
    for record in (
        record_of(request, decoded),
        record_of(request, decoded, error="internal"),
        record_of(request, Decoded("tensor", np.zeros(3))),
        record_of(request, None, error="bad_payload"),
    ):
        hook.midspan_observe(record=record)
    store = HostStore(tmp_path / "host.sqlite")
    [sample] = store.samples(name_of("side28"))
    store.close()
    assert sample == pytest.approx((len(request.payload) / 1e6, 0.6 / 64, 0.021, 0.009))  # decoded at 1/8


def test_the_report_has_the_model_that_the_host_knows(make_hook, tmp_path):
    hook, record = make_hook(), record_of(Request(b""), None)
    assert hook.midspan_report(record=record) == [{}]
    store = HostStore(tmp_path / "host.sqlite")
    store.publish(name_of("side28"), {"fixed_s": 0.1})
    store.close()
    [told] = make_hook().midspan_report(record=record)
    assert told["server_model"]["fixed_s"] == 0.1
    assert told["server_model"]["version"] >= 1


def test_the_parameter_is_declared(make_hook):
    [[declared]] = make_hook().midspan_parameters()
    assert (declared.name, declared.kind, declared.default) == ("preprocessed", bool, False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_pixels": 0}, "between 1 and 89478485, got 0"),
        ({"max_pixels": 10**9}, "between 1 and 89478485, got 1000000000"),
        ({"max_pixels": "many"}, "must be a whole number, got 'many'"),
        ({"max_pixel": 5}, "did you mean 'max_pixels'"),
    ],
)
def test_wrong_options_stop_the_load(make_hook, options, reason):
    with pytest.raises(PluginError, match=reason):
        make_hook(**options)


def test_results_are_frozen(make_hook):
    decoded = make_hook().midspan_decode(request=Request(encode(textured(9, 9), "PNG")))
    with pytest.raises(dataclasses.FrozenInstanceError):
        decoded.value.width_px = 5
