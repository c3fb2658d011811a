"""A reader one version behind or ahead, and one that nobody can crash."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspan.wire import CATALOG_VERSION
from midspan_client.catalog import PreprocessedInfo, VariantInfo, parse_catalog
from midspan_client.catalogs import CatalogKeeper
from midspan_client.errors import ProtocolError


def test_keys_of_the_future_are_ignored_and_optional_ones_may_be_missing():
    catalog = parse_catalog(
        {"catalog_version": CATALOG_VERSION + 1, "routes": {"teleport": 1}, "variants": [{"name": "a", "wings": 2}]}
    )
    assert catalog.default == "a"
    assert catalog.variants[0].side_px == 0
    assert catalog.max_payload_bytes is None
    assert catalog.parameters is None


@pytest.mark.parametrize("version", [CATALOG_VERSION - 1, CATALOG_VERSION, CATALOG_VERSION + 1])
def test_one_version_behind_or_ahead_works(version):
    assert parse_catalog({"catalog_version": version, "variants": [{"name": "a"}]}).version == version


@pytest.mark.parametrize("report", [
    5, [], {}, {"variants": 5}, {"variants": []}, {"variants": [{}]}, {"variants": [{"name": "x" * 101}]},
    {"variants": [{"name": "a"}] * 1001}, {"variants": [{"name": "a"}], "catalog_version": CATALOG_VERSION + 2},
])  # fmt: skip
def test_what_cannot_be_used_is_told(report):
    with pytest.raises(ProtocolError):
        parse_catalog(report)


def test_absurd_values_are_dropped():
    row = {
        "name": "a", "side_px": 10**12, "resize_px": -4, "classes": True, "macs": 1e300, "accuracy": float("nan"),
        "server_s": {"run": -1, "decode": float("inf"), "prepare": 0.001, "x\n": 1},
    }  # fmt: skip
    catalog = parse_catalog({
        "variants": [row, 7], "default": "gone", "limits": {"max_payload_bytes": -1}, "parameters": 5, "plugins": [],
    })  # fmt: skip
    variant = catalog.variants[0]
    assert (variant.side_px, variant.resize_px, variant.classes, variant.macs) == (0, 0, 0, 0)
    assert variant.accuracy is None
    assert variant.server_s == {"prepare": 0.001}
    assert catalog.default == "a"
    assert catalog.max_payload_bytes is None


def test_numbers_that_no_float_can_hold_are_dropped():
    row = {"name": "a", "side_px": 10**400, "accuracy": 10**400, "server_s": {"run": 10**400, "decode": -(10**400)}}
    report = {"variants": [row], "limits": {"max_payload_bytes": 10**400}}
    catalog = CatalogKeeper(lambda: report, lambda: 0.0).current()
    assert catalog.variants == (VariantInfo("a"),)
    assert catalog.max_payload_bytes is None
    with pytest.raises(ProtocolError):
        CatalogKeeper(lambda: {**report, "variants": [{**row, "name": 10**400}]}, lambda: 0.0).current()


def measured(quality, agreement=0.98, **more):
    return {"quality": quality, "agreement": agreement, **more}


def preprocessed(rows):
    return parse_catalog({"variants": [{"name": "a", "preprocessed": rows}]}).variants[0].preprocessed


def test_what_preprocessing_on_the_device_costs_is_read():
    rows = [measured(90, top1=0.7, top1_in_cloud=0.71, bytes_mean=15_000, images=400, wings=2), measured(75)]
    assert preprocessed(rows) == (PreprocessedInfo(90, 0.98, 0.7, 0.71, 15_000.0, 400), PreprocessedInfo(75, 0.98))


@pytest.mark.parametrize("rows", [
    None, 5, {}, "rows", [None, 7, []], [measured(0)], [measured(101)], [measured(True)], [measured(90.0)],
    [measured(10**400)], [measured(90, None)], [measured(90, 1.01)], [measured(90, float("nan"))],
    [measured(90, 10**400)],
])  # fmt: skip
def test_rows_of_no_use_are_dropped(rows):
    assert preprocessed(rows) == ()


@pytest.mark.parametrize("more", [
    {"top1": 0.5}, {"top1": 0.5, "top1_in_cloud": 7}, {"top1": float("nan"), "top1_in_cloud": 0.5},
    {"bytes_mean": -1}, {"bytes_mean": float("inf")}, {"bytes_mean": 10**400}, {"images": -1}, {"images": 1e300},
])  # fmt: skip
def test_absurd_parts_of_a_row_are_dropped(more):
    assert preprocessed([measured(90, **more)]) == (PreprocessedInfo(90, 0.98),)


def test_rows_are_bounded_and_one_a_quality():
    assert [row.quality for row in preprocessed([measured(quality) for quality in range(1, 101)])] == [*range(1, 17)]
    assert preprocessed([measured(90, 0.9), measured(90, 0.8)]) == (PreprocessedInfo(90, 0.9),)


def test_a_quality_can_be_all_that_is_open_to_choice():
    rows = [measured(50), measured(90)]
    catalog = parse_catalog({"variants": [{"name": name, "preprocessed": rows} for name in "ab"]})
    assert [row.quality for row in catalog.only("b").variants[0].preprocessed] == [50, 90]
    (narrowed,) = catalog.only("b", quality=90).variants
    assert (narrowed.name, [row.quality for row in narrowed.preprocessed]) == ("b", [90])
    keeper = CatalogKeeper(lambda: {"variants": [{"name": "a", "preprocessed": rows}]}, lambda: 0.0)
    for quality, expected in ((90, [90]), (None, [50, 90]), (90, [90])):
        (entry,) = keeper.only(keeper.current(), "a", quality).variants
        assert [row.quality for row in entry.preprocessed] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["name", "variants", "default", "limits", "side_px", "resize_px", "server_s", "run", "plugins", "preprocess",
         "max_pixels", "parameters", "accuracy", "catalog_version", "max_payload_bytes",
         "preprocessed", "quality", "agreement", "top1", "bytes_mean", "images"]), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_anything_gives_a_catalog_or_a_typed_error(report):
    try:
        catalog = parse_catalog(report)
    except ProtocolError:
        return
    assert catalog.default in [variant.name for variant in catalog.variants]
    assert catalog.only(catalog.default).default == catalog.default
