"""What preprocessing on the device is expected to cost in accuracy, and that an objective's floor is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspan_client import Client, Objective
from midspan_client.catalog import PreprocessedInfo, VariantInfo
from midspan_client.providers.encodings import UNMEASURED_LOSS, encodings
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider

ROWS = [
    {"quality": 50, "agreement": 0.95, "top1": 0.70, "top1_in_cloud": 0.73, "bytes_mean": 3_000.0, "images": 400},
    {"quality": 75, "agreement": 0.98, "top1": 0.72, "top1_in_cloud": 0.73, "bytes_mean": 4_000.0, "images": 400},
    {"quality": 90, "agreement": 0.99, "top1": 0.73, "top1_in_cloud": 0.73, "bytes_mean": 13_000.0, "images": 400},
]


def accuracy(row, known=0.75):
    (encoding,) = encodings(VariantInfo("a", accuracy=known, preprocessed=(row,)))
    return encoding.accuracy


def test_where_classes_are_known_the_difference_on_the_same_photos_counts():
    assert accuracy(PreprocessedInfo(90, 0.97, top1=0.70, top1_in_cloud=0.71)) == pytest.approx(0.74)


def test_a_gain_is_taken_for_chance():
    assert accuracy(PreprocessedInfo(90, 0.97, top1=0.72, top1_in_cloud=0.71)) == 0.75


def test_where_no_class_is_known_agreement_bounds_the_loss():
    assert accuracy(PreprocessedInfo(90, 0.97)) == pytest.approx(0.72)


def test_where_nobody_measured_there_is_quality_90_at_a_cautious_guess():
    (encoding,) = encodings(VariantInfo("a", accuracy=0.75))
    assert (encoding.quality, encoding.accuracy) == (90, 0.75 - UNMEASURED_LOSS)


def test_an_unknown_accuracy_stays_unknown():
    assert accuracy(PreprocessedInfo(90, 0.97), None) is None
    assert encodings(VariantInfo("a"))[0].accuracy is None


answers = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(answers)
def test_the_bound_holds_whatever_the_answers_were(answers):
    """On the photos themselves: (right in the cloud, same class, right after if the class changed)."""
    count = len(answers)
    in_cloud = sum(right for right, _, _ in answers) / count
    after = sum(right if same else right_now and not right for right, same, right_now in answers) / count
    agreement = sum(same for _, same, _ in answers) / count
    assert accuracy(PreprocessedInfo(90, agreement), in_cloud) <= after + 1e-9
    measured = accuracy(PreprocessedInfo(90, agreement, after, in_cloud), in_cloud)
    assert measured == pytest.approx(min(after, in_cloud))
    assert accuracy(PreprocessedInfo(90, agreement), in_cloud) <= measured + 1e-9


def offered(server, jpeg, objective, **options):
    with Client(server.url, objective=objective, providers=[OriginalProvider(), ResizedProvider()]) as client:
        routes = client.explain(jpeg, **options).routes
    return [(route.variant, route.codec) for route in routes if route.name == "resized"]


@pytest.fixture
def measured(start):
    server = start()
    server.catalog["variants"][0]["preprocessed"] = ROWS
    return server


@pytest.mark.parametrize("goal", ["time", "bytes"])
def test_without_a_word_on_accuracy_quality_90_is_all_there_is(measured, jpeg, goal):
    assert offered(measured, jpeg, Objective(goal)) == [("lite0", "jpeg90")]
    assert offered(measured, jpeg, Objective(goal), variant="lite2") == [("lite2", "jpeg90")]


@pytest.mark.parametrize("objective", [Objective("accuracy"), Objective("bytes", min_accuracy=0.7)])
def test_where_accuracy_is_asked_for_every_measured_quality_is_open(measured, jpeg, objective):
    qualities = [("lite0", f"jpeg{quality}") for quality in (50, 75, 90)]
    assert offered(measured, jpeg, objective) == [*qualities, ("lite2", "jpeg90")]
    assert offered(measured, jpeg, objective, variant="lite0") == qualities


@pytest.mark.parametrize(("floor", "codec"), [(0.71, "jpeg50"), (0.73, "jpeg75"), (0.745, "jpeg90")])
def test_the_floor_decides_on_the_quality(measured, jpeg, floor, codec):
    with Client(
        measured.url, objective=Objective("bytes", min_accuracy=floor), providers=[ResizedProvider()]
    ) as client:
        answer = client.classify(jpeg, variant="lite0")
    assert answer.route.codec == codec
    assert answer.route.accuracy >= floor
    assert answer.degraded == ""


def test_what_loses_too_much_is_not_taken_however_few_its_bytes(start, jpeg):
    server = start()
    server.catalog["variants"][0]["preprocessed"] = [{"quality": 90, "agreement": 0.9}]
    for floor, expected in ((0.7, "original"), (0.6, "resized")):
        with Client(server.url, objective=Objective("bytes", min_accuracy=floor)) as client:
            assert client.explain(jpeg, variant="lite0").route.name == expected


def test_sizes_start_at_what_was_measured_and_are_learned_by_quality(measured, jpeg):
    with Client(measured.url, objective=Objective("bytes", min_accuracy=0.1), providers=[ResizedProvider()]) as client:
        before = client.explain(jpeg, variant="lite0").routes
        assert [route.bytes_up for route in before] == [3_000, 4_000, 13_000]
        sent = [client.classify(jpeg, variant="lite0").bytes_up for _ in range(3)]
        after = client.explain(jpeg, variant="lite0").routes
    assert abs(after[0].bytes_up - sent[0]) < abs(3_000 - sent[0])
    assert [route.bytes_up for route in after[1:]] == [4_000, 13_000]
