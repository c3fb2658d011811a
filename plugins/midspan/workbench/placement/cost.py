"""What deciding where to preprocess costs the device, and what learning from it does."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from midspan.estimate.best import BestOf
from midspan.estimate.retrained import RetrainedLinear
from midspan.workbench.placement.links import log_uniform
from midspan.workbench.placement.ours import Ours, photo_of
from midspan.workbench.placement.request import Choice, Measured, PhotoSize
from midspan.workbench.rows import Row, at_most
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.photo import Photo
from midspan_client.providers.resized import ResizedProvider

__all__ = ["measure_cost"]

PAPER_DECISION_US: Final = 330.0
PAPER_CHECKS_US: Final = 4.0
"""Both of section 6.3."""
DECISION_US: Final = 50.0
LEARNING_US: Final = 100.0
SIDE_PX: Final = 331
SIZES_BYTES: Final = (20_000, 4_000_000)
BYTES_PER_PIXEL: Final = 0.3
REPEATS: Final = 5
"""Each lesson is timed so often, and its shortest time counts: what else the machine does is not the lesson's."""
PAPER_SET: Final = (1, 2, 3, 4)


def measure_cost(requests: int, seed: int) -> list[Row]:
    """Decisions and lessons of the product over simulated requests, the checks alone, and the longest lesson."""
    rng = random.Random(seed)  # noqa: S311 - draws that can be repeated, no secret
    photos = [_photo(rng) for _ in range(requests)]
    with _no_collection():
        decision_us, learning_us = _decide_and_learn(photos, rng)
        checks_us = _checks(photos)
        ours_us, retrained_us = _longest_lessons(photos, rng)
    return [
        at_most(
            f"one decision among both routes, {DECISION_US:.0f} allowed, against the paper's",
            decision_us,
            PAPER_DECISION_US,
            round(DECISION_US / PAPER_DECISION_US, 3),
            "µs",
        ),
        at_most(
            "both checks alone, on photos that they keep, against the paper's", checks_us, PAPER_CHECKS_US, 1.0, "µs"
        ),
        at_most("learning from one request, against its limit", learning_us, LEARNING_US, 1.0, "µs"),
        at_most("the longest lesson of on-device time, against retraining's", ours_us, retrained_us, 1.0, "µs"),
    ]


def _decide_and_learn(photos: Sequence[PhotoSize], rng: random.Random) -> tuple[float, float]:
    """Mean microseconds of a decision, its photo's header being read, and of learning what it cost."""
    ours, learned_s = Ours(SIDE_PX), []
    for at_s, photo in enumerate(photos):
        choice = ours.choose(photo, at_s)
        measured = _measured(photo, choice, rng)
        began_s = time.perf_counter()
        ours.learn(photo, choice, measured, at_s)
        learned_s.append(time.perf_counter() - began_s)
    return ours.deciding_s / ours.decisions * 1e6, statistics.fmean(learned_s) * 1e6


def _checks(photos: Sequence[PhotoSize]) -> float:
    """Mean microseconds of not offering to resize photos for which the checks say at once that it cannot pay."""
    variant = VariantInfo("simulated", side_px=SIDE_PX, resize_px=SIDE_PX)
    provider, catalog = ResizedProvider(), Catalog((variant,), variant.name)
    kept: list[Photo] = []
    for size in photos:
        photo = photo_of(size)
        if photo.header.simple and not list(provider.enumerate(photo, catalog)):
            kept.append(photo)
    repeats = REPEATS * max(len(photos) // max(len(kept), 1), 1)
    began_s = time.perf_counter()
    for _ in range(repeats):
        for photo in kept:
            provider.enumerate(photo, catalog)
    return (time.perf_counter() - began_s) / max(repeats * len(kept), 1) * 1e6


def _longest_lessons(photos: Sequence[PhotoSize], rng: random.Random) -> tuple[float, float]:
    """Microseconds of the worst lesson of on-device time, ours and the paper's, over the same measurements."""
    lessons = [(_features(photo), _measured(photo, "local", rng).device_s) for photo in photos]

    def best() -> BestOf:
        return BestOf((0.001,) * 5, (1e-4,) * 5, ((0, 1), (0, *PAPER_SET)))

    paper = [(tuple(x[i] for i in PAPER_SET), y) for x, y in lessons]
    return _longest(best, lessons), _longest(lambda: RetrainedLinear(len(PAPER_SET)), paper)


def _longest(make: Callable[[], Any], lessons: Sequence[tuple[Sequence[float], float]]) -> float:
    shortest_s = [float("inf")] * len(lessons)
    for _ in range(REPEATS):
        model = make()
        for i, (x, y) in enumerate(lessons):
            began_s = time.perf_counter()
            model.learn_one(x, y)
            shortest_s[i] = min(shortest_s[i], time.perf_counter() - began_s)
    return max(shortest_s) * 1e6


def _photo(rng: random.Random) -> PhotoSize:
    photo_bytes = log_uniform(rng, *SIZES_BYTES)
    width_px = round((photo_bytes / BYTES_PER_PIXEL * rng.uniform(0.5, 2.0) * 4 / 3) ** 0.5)
    return PhotoSize(photo_bytes, width_px, width_px * 3 // 4)


def _measured(photo: PhotoSize, choice: Choice, rng: random.Random) -> Measured:
    """About what a phone takes, with 20% noise."""
    sent_bytes = 53_000 if choice == "local" else photo.photo_bytes
    device, link, prepare = (rng.lognormvariate(0.0, 0.2) for _ in range(3))
    return Measured(
        device_s=(0.06 + 7e-8 * photo.photo_bytes) * device if choice == "local" else 0.0,
        link_s=(0.1 + 4e-7 * sent_bytes) * link,
        prepare_s=(0.004 + 6e-8 * sent_bytes) * prepare,
        fixed_s=0.001,
        bytes_up=sent_bytes,
    )


def _features(photo: PhotoSize) -> tuple[float, ...]:
    return 1.0, photo.photo_bytes / 1e6, photo.pixels / 1e6, photo.width_px / 1e3, photo.height_px / 1e3


@contextmanager
def _no_collection() -> Iterator[None]:
    """A collection of garbage in the midst of a lesson is none of its own."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
