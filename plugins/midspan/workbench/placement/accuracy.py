"""What preprocessing on the device costs in accuracy: PieSlicer, section 4.4.

::

    photo ─┬─ as it is ───────────────────────────────────────▶ the server's pipeline ─▶ class in the cloud
           └─ the device's engine: each side, each quality ─▶ the server's pipeline ─▶ class, compared with that

Both ways are the real ones: the SDK's engine, as the route `resized` uses it, and the pipeline that the servers load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from midspan import bundle
from midspan.bundle import Family, PreprocessedAccuracy, Preprocessing
from midspan.errors import ConfigError, MidspanError
from midspan.estimate.features import DECODE_MARGIN
from midspan.types import Request, Response
from midspan.wire import PARAMETER_PREPROCESSED, PARAMETER_VARIANT
from midspan.workbench.photos import PhotoFile
from midspan_client.engine import Engine
from midspan_client.photo import Photo

__all__ = ["AccuracyRow", "InCloud", "Measurement", "Plan", "measure_accuracy", "resize_px_of", "write_rows"]

Infer: TypeAlias = Callable[[Sequence[Request]], Sequence[Response | MidspanError]]
MAX_SIDE_PX: Final = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: a variant, and each combination of a side and a JPEG quality. Raises ConfigError."""

    variant: str
    preprocessing: Preprocessing
    sides_px: tuple[int, ...]
    qualities: tuple[int, ...]

    def __post_init__(self) -> None:
        for what, values, most in (("side", self.sides_px, MAX_SIDE_PX), ("quality", self.qualities, 100)):
            if not values or len(set(values)) != len(values) or not all(1 <= value <= most for value in values):
                raise ConfigError(f"needs one {what} or more, all different, from 1 to {most}; got {values}"[:300])


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """One side and quality over all photos.

    Attributes:
        side_px: what the device resized to; the server resizes it again where that is not the variant's side.
        quality: of the JPEG, 1 to 100.
        top1: share of the photos of a known class that got it; None where no class is known.
        top1_in_cloud: the same for these photos sent as they are.
        agreement: share of the photos that got the class that they get when sent as they are: the paper's normalized
            accuracy.
        bytes_mean: mean size of what was sent.
        images: how many photos.

    """

    side_px: int
    quality: int
    top1: float | None
    top1_in_cloud: float | None
    agreement: float
    bytes_mean: float
    images: int


@dataclass(frozen=True, slots=True)
class InCloud:
    """The photos sent as they are. `labelled` is how many of the `images` have a known class."""

    top1: float | None
    bytes_mean: float
    images: int
    labelled: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """All rows, side by side in the plan's order. `skipped` has a reason for each photo that counts nowhere."""

    in_cloud: InCloud
    rows: tuple[AccuracyRow, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One photo: sent as it is, and `(payload_bytes, class)` for each row of the plan. `truth` is None if unknown."""

    truth: int | None
    photo_bytes: int
    in_cloud: int
    resized: tuple[tuple[int, int], ...]


class _SkippedError(Exception):
    """The client would have sent this photo as it is, or the server refuses it."""


def measure_accuracy(
    photos: Sequence[PhotoFile],
    plan: Plan,
    engine: Engine,
    infer: Infer,
    *,
    report: Callable[[PhotoFile], None] = lambda photo: None,
) -> Measurement:
    """Take every photo both ways; `report` hears of each one when it is done.

    Skips photos that the client would send as they are (transparent, CMYK, 16 bits, …), and those that cannot be
    read. Raises ConfigError where none is left, and what the server's own failures raise.
    """
    answers: list[_Answer] = []
    skipped: list[str] = []
    for photo in photos:
        try:
            answers.append(_both_ways(photo, plan, engine, infer))
        except (_SkippedError, ConfigError) as error:
            skipped.append(f"{photo.path.name}: {error}")
        report(photo)
    if not answers:
        raise ConfigError(f"none of the {len(photos)} photos could be measured; the first: {', '.join(skipped[:1])}")
    labelled = [answer for answer in answers if answer.truth is not None]
    top1 = _share(answer.in_cloud == answer.truth for answer in labelled)
    bytes_mean = sum(answer.photo_bytes for answer in answers) / len(answers)
    combinations = [(side_px, quality) for side_px in plan.sides_px for quality in plan.qualities]
    rows = (_row(index, *sizes, answers, top1) for index, sizes in enumerate(combinations))
    return Measurement(InCloud(top1, bytes_mean, len(answers), len(labelled)), tuple(rows), tuple(skipped))


def resize_px_of(preprocessing: Preprocessing, side_px: int) -> int:
    """To what the shorter side is scaled so that a cut of `side_px` shows what the variant's own cut shows."""
    return max(round(preprocessing.resize_px * side_px / preprocessing.side_px), side_px)


def write_rows(directory: Path, variant: str, rows: Sequence[AccuracyRow]) -> Family:
    """Put what was measured at the variant's own side into the bundle, in the place of what stood there.

    Returns the new family. Raises BundleError; and ConfigError where no row has that side.
    """
    family = bundle.load(directory)
    side_px = family.variant(variant).preprocessing.side_px
    measured = tuple(
        PreprocessedAccuracy(row.quality, row.agreement, row.bytes_mean, row.images, row.top1, row.top1_in_cloud)
        for row in rows
        if row.side_px == side_px
    )
    if not measured:
        raise ConfigError(f"nothing was measured at {side_px} px, the side of {variant!r}")
    variants = (replace(one, preprocessed=measured) if one.name == variant else one for one in family.variants)
    family = replace(family, variants=tuple(variants))
    bundle.save(family, directory)
    return family


def _both_ways(photo: PhotoFile, plan: Plan, engine: Engine, infer: Infer) -> _Answer:
    data = photo.read()
    if not Photo(data).header.simple:
        raise _SkippedError("a device leaves it to the server: transparent, CMYK, 16 bits or no JPEG, PNG or WebP")
    (in_cloud,) = _classes(infer, [Request(data, "", {PARAMETER_VARIANT: plan.variant})])
    try:
        payloads = list(_resized(data, plan, engine))
    except Exception as error:  # a decoder can raise anything
        raise _SkippedError(f"the device cannot decode it: {error}"[:300]) from error
    parameters: dict[str, Any] = {PARAMETER_VARIANT: plan.variant, PARAMETER_PREPROCESSED: True}
    classes = _classes(infer, [Request(payload, "image/jpeg", parameters) for payload in payloads])
    return _Answer(photo.class_index, len(data), in_cloud, tuple(zip(map(len, payloads), classes, strict=True)))


def _resized(data: bytes, plan: Plan, engine: Engine) -> Iterator[bytes]:
    """What the device would send, for each side and quality."""
    for side_px in plan.sides_px:
        resize_px = resize_px_of(plan.preprocessing, side_px)
        image = engine.resize(engine.decode(data, DECODE_MARGIN * resize_px), resize_px, side_px)
        for quality in plan.qualities:
            yield engine.encode(image, quality)


def _classes(infer: Infer, requests: Sequence[Request]) -> list[int]:
    """The most likely class of each. Raises _SkippedError for what a server refuses."""
    classes: list[int] = []
    for answer in infer(requests):
        if isinstance(answer, MidspanError):
            if answer.status >= 500:
                raise answer
            raise _SkippedError(f"the server refuses it: {answer}"[:300])
        assert answer.scores is not None, "only a control request has no scores"
        classes.append(int(answer.scores.argmax()))
    return classes


def _row(
    index: int, side_px: int, quality: int, answers: Sequence[_Answer], top1_in_cloud: float | None
) -> AccuracyRow:
    sent = [(answer, *answer.resized[index]) for answer in answers]
    agreement = _share(found == answer.in_cloud for answer, _, found in sent)
    assert agreement is not None, "there are answers"
    return AccuracyRow(
        side_px=side_px,
        quality=quality,
        top1=_share(found == answer.truth for answer, _, found in sent if answer.truth is not None),
        top1_in_cloud=top1_in_cloud,
        agreement=agreement,
        bytes_mean=sum(size for _, size, _ in sent) / len(sent),
        images=len(sent),
    )


def _share(hits: Iterator[bool]) -> float | None:
    found = list(hits)
    return sum(found) / len(found) if found else None
