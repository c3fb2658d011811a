"""The plug-in `preprocess`: pictures in, the graph's input out. Glue over `midspan.preprocess`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midspan.bundle import Variant
from midspan.config import bounded, read_table
from midspan.estimate.features import decoded_megapixels
from midspan.hookspecs import hookimpl
from midspan.preprocess.decode import MAX_PIXELS
from midspan.preprocess.header import CONTENT_TYPES, read_header
from midspan.preprocess.prepare import prepare
from midspan.servermodel.trainer import Trainer
from midspan.types import Context, Decoded, Parameter, Prepared, Record, Request
from midspan.wire import PARAMETER_PREPROCESSED

__all__ = ["KIND", "PreprocessOptions", "PreprocessPlugin"]

KIND = "image"
"""The kind of payload that this plug-in decodes and prepares."""


@dataclass(frozen=True, slots=True)
class PreprocessOptions:
    """The table `plugins.preprocess`. `max_pixels` bounds width times height of a picture, before it is decoded."""

    max_pixels: int = bounded(50_000_000, 1, MAX_PIXELS)


class PreprocessPlugin:
    """JPEG, PNG and WebP; everything else is left to other plug-ins. Devices are told what a picture costs here."""

    def __init__(self) -> None:
        self._options = PreprocessOptions()
        self._trainer: Trainer | None = None
        self._resize_px: Mapping[str, int] = {}

    @hookimpl
    def midspan_configure(self, options: Mapping[str, Any], context: Context) -> None:
        """Take `max_pixels`."""
        self._options = read_table(PreprocessOptions, options, "plugins.preprocess")
        self._resize_px = {variant.name: variant.preprocessing.resize_px for variant in context.family.variants}
        self._trainer = Trainer(context.store, list(self._resize_px))

    @hookimpl
    def midspan_close(self) -> None:
        """End the training of the models of time."""
        if self._trainer is not None:
            self._trainer.close()

    @hookimpl
    def midspan_parameters(self) -> Sequence[Parameter]:
        """Declare `preprocessed`."""
        told = "the device has turned, resized and cropped the picture already: use all of it"
        return [Parameter(PARAMETER_PREPROCESSED, bool, False, told)]

    @hookimpl
    def midspan_describe(self) -> Mapping[str, Any]:
        """Tell devices what may be sent."""
        return {"formats": sorted(set(CONTENT_TYPES.values())), "max_pixels": self._options.max_pixels}

    @hookimpl
    def midspan_decode(self, request: Request) -> Decoded | None:
        """Read the header of a picture; the pixels wait until the variant, and so the size, is known."""
        picture = read_header(request.payload, request.content_type, self._options.max_pixels)
        return None if picture is None else Decoded(KIND, picture)

    @hookimpl
    def midspan_prepare(self, request: Request, decoded: Decoded, variant: Variant) -> Prepared | None:
        """Decode, resize, crop, normalise."""
        if decoded.kind != KIND:
            return None
        preprocessed = bool(request.parameters.get(PARAMETER_PREPROCESSED, False))
        return Prepared(prepare(decoded.value, variant.preprocessing, preprocessed=preprocessed))

    @hookimpl
    def midspan_observe(self, record: Record) -> None:
        """Learn what an answered picture has cost."""
        decoded = record.decoded
        if self._trainer is not None and decoded is not None and decoded.kind == KIND and not record.error:
            picture, resize_px = decoded.value, self._resize_px[record.variant]
            jpeg = picture.format == "JPEG"
            self._trainer.sample(record, decoded_megapixels(picture.width_px, picture.height_px, resize_px, jpeg=jpeg))

    @hookimpl
    def midspan_report(self, record: Record) -> Mapping[str, Any]:
        """The newest model of the variant's time, as `server_model`."""
        return self._trainer.report(record.variant) if self._trainer is not None else {}
