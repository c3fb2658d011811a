"""Both real servers learn what their own time is made of, and tell it on the answers and in the catalog."""

from __future__ import annotations

import io
import statistics
import time
from functools import partial

import pytest
from PIL import Image

from midspan.estimate.features import decoded_megapixels
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import parse_catalog
from midspan_client.servermodel import NewestServerModel, sent_server_model

DEADLINE_S = 120


@pytest.fixture(scope="module")
def enlarged(photo):
    """JPEGs of one photo: `enlarged(width_px, quality)`."""
    original = Image.open(io.BytesIO(photo)).convert("RGB")

    def make(width_px, quality):
        buffer = io.BytesIO()
        original.resize((width_px, width_px * 3 // 4)).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    return make


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_answers_carry_a_model_that_predicts_photos_it_has_not_seen(kind, start_server, subject_of, enlarged):
    subject = subject_of(start_server(kind))  # its own, where nobody else's pictures teach it

    newest = NewestServerModel()  # as a client does: workers hear of a model at different moments

    def classify(photo):
        answer = subject.classify(photo)
        assert answer.status == 200
        newest.learn_one(sent_server_model(answer.report))
        return ServerAnswer(answer.report)

    def both_classify(photo):
        """Two at once, so that both workers get something to do: one of them trains."""
        return subject.together([partial(classify, photo)] * 2)

    sizes = [(width_px, quality) for width_px in (700, 2200, 1000, 1900, 1300, 1500) for quality in (70, 92)]
    photos = [enlarged(*size) for size in sizes]
    deadline = time.monotonic() + DEADLINE_S
    while newest.model_ is None or newest.model_.samples < 2 * len(photos):  # of all sizes, that is
        assert time.monotonic() < deadline, f"no model of all photos after {DEADLINE_S} s: {newest.model_}"
        for photo in photos:
            both_classify(photo)
    assert newest.model_.version >= 1

    [variant] = parse_catalog(subject.control("catalog")).variants
    for width_px, quality in ((850, 80), (1150, 85), (2050, 75)):
        photo = enlarged(width_px, quality)
        answers = [answer for _ in range(5) for answer in both_classify(photo)]
        megapixels = decoded_megapixels(width_px, width_px * 3 // 4, variant.resize_px, jpeg=True)
        predicted_s = newest.model_.prepare_s(len(photo) / 1e6, megapixels)
        measured_s = statistics.median(answer.prepare_s for answer in answers)
        assert 0.5 <= predicted_s / measured_s <= 2, (width_px, newest.model_)

    [variant] = parse_catalog(subject.control("catalog")).variants
    assert variant.server_model.version >= newest.model_.version
