"""At which JPEG qualities a device may encode for a variant, and what each is expected to cost in accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from midspan_client.catalog import QUALITY, PreprocessedInfo, VariantInfo

__all__ = ["UNMEASURED_LOSS", "Encoding", "encodings"]

UNMEASURED_LOSS = 0.014
"""Taken off where nobody measured: PieSlicer's agreement of 98.6% at quality 90 (section 4.4), at its worst."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to encode a picture that was resized for a variant.

    Attributes:
        quality: of the JPEG, 1 to 100.
        accuracy: expected top-1, or None where the variant's own is unknown.
        bytes_mean: mean size where somebody measured it, else 0.

    """

    quality: int
    accuracy: float | None
    bytes_mean: float = 0.0


def encodings(variant: VariantInfo) -> list[Encoding]:
    """One for each quality that was measured and is open to choice; quality 90 where none was."""
    if not variant.preprocessed:
        return [Encoding(QUALITY, _less(variant.accuracy, UNMEASURED_LOSS))]
    return [Encoding(row.quality, _less(variant.accuracy, _loss(row)), row.bytes_mean) for row in variant.preprocessed]


def _loss(row: PreprocessedInfo) -> float:
    """Top-1 that is lost, as a fraction of all photos.

    Where classes are known, the difference on the same photos. A gain is taken for chance: encoding anew adds nothing
    that was not in the photo. Else the most that the agreement allows: whatever changed was right before, and is wrong
    now. Multiplying by the agreement instead would promise more than is known.
    """
    if row.top1 is not None and row.top1_in_cloud is not None:
        return max(row.top1_in_cloud - row.top1, 0.0)
    return 1.0 - row.agreement


def _less(accuracy: float | None, loss: float) -> float | None:
    return None if accuracy is None else max(accuracy - loss, 0.0)
