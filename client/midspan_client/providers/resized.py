"""Preprocess on the device: resize and cut to what the variant takes, encode anew, send the small picture."""

from __future__ import annotations

from collections.abc import Iterable

from midspan.estimate.linear import OnlineLinear
from midspan.estimate.robust import RobustSeconds
from midspan.routing.route import Route
from midspan.wire import PARAMETER_PREPROCESSED
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.engine import Engine, default_engine
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Models, Outcome, Session
from midspan_client.providers.costs import server_model
from midspan_client.providers.encodings import Encoding, encodings

__all__ = ["ResizedProvider"]

INTERPOLATION = "bicubic"
"""What engines do; a variant that wants another one is resized by the server."""
OVERSAMPLING = 2
"""Scaled decoding stops at this multiple of the final size: what is lost beyond it is below what the filter removes."""
MAX_MEGAPIXELS = 100.0
BYTES_PER_PIXEL = 0.3
"""Prior of a photo's JPEG at quality 90."""


class ResizedProvider:
    """Trades work on the device for bytes on the link. Offers nothing without an engine, or for unusual photos.

    Args:
        engine: what decodes, resizes and encodes; by default Pillow, where it is installed.

    """

    name = "resized"

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine or default_engine()

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """One candidate for each variant whose geometry is known and can be made here, and each JPEG quality.

        None where the server does not read `preprocessed`, nor for transparent, animated, CMYK or 16-bit pictures:
        there the server's own rules decide.
        """
        readable = catalog.parameters is None or PARAMETER_PREPROCESSED in catalog.parameters
        if self._engine is None or not readable or not photo.header.simple or photo.megapixels > MAX_MEGAPIXELS:
            return []
        return [
            Candidate(self.name, variant, codec=f"jpeg{encoding.quality}", plan={"encoding": encoding})
            for variant in catalog.variants
            if variant.side_px and variant.interpolation in ("", INTERPOLATION)
            for encoding in encodings(variant)
        ]

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """Device time over size and pixels, bytes from what this variant's pictures had lately."""
        variant, photo = candidate.variant, context.photo
        encoding: Encoding = candidate.plan["encoding"]
        bytes_up = round(_size_model(context.models, variant, encoding).predict_one((1.0,)))
        return Route(
            name=self.name,
            provider=self.name,
            variant=variant.name,
            bytes_up=max(bytes_up, 0),
            device_s=_device_model(context.models).predict_one((1.0, photo.megabytes, photo.megapixels)),
            send_s=context.link.transfer_s(max(bytes_up, 0)),
            server_s=server_model(context.models, variant).predict_one((1.0, variant.side_px**2 / 1e6)),
            accuracy=encoding.accuracy,
            codec=candidate.codec,
            plan={"variant": variant, "encoding": encoding},
        )

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """Decode, resize, encode; then one exchange."""
        variant: VariantInfo = route.plan["variant"]
        encoding: Encoding = route.plan["encoding"]
        engine = self._engine
        assert engine is not None, "routes are offered only where there is an engine"
        with session.device():
            image = engine.decode(photo.data, OVERSAMPLING * variant.resize_px)
            payload = engine.encode(engine.resize(image, variant.resize_px, variant.side_px), encoding.quality)
        return session.infer(payload, "image/jpeg", {PARAMETER_PREPROCESSED: True})

    def learn(self, route: Route, outcome: Outcome) -> None:
        """All three: device time, bytes, server time."""
        variant: VariantInfo = route.plan["variant"]
        encoding: Encoding = route.plan["encoding"]
        photo, models = outcome.photo, outcome.models
        _device_model(models).learn_one((1.0, photo.megabytes, photo.megapixels), outcome.device_s)
        _size_model(models, variant, encoding).learn_one((1.0,), outcome.bytes_up)
        if outcome.server_s is not None:
            server_model(models, variant).learn_one((1.0, variant.side_px**2 / 1e6), outcome.server_s)


def _device_model(models: Models) -> RobustSeconds:
    """Over (1, megabytes, megapixels). The prior is a fast phone's: optimistic, so that the route is tried."""
    return models.get("device", lambda: RobustSeconds((0.001, 0.001, 0.0005), (0.01, 0.01, 0.002), typical_s=0.03))


def _size_model(models: Models, variant: VariantInfo, encoding: Encoding) -> OnlineLinear:
    """A running mean, which starts at what was measured, if anything was."""
    prior = encoding.bytes_mean or BYTES_PER_PIXEL * variant.side_px**2
    name = f"bytes/{variant.name}/{encoding.quality}"
    return models.get(name, lambda: OnlineLinear((prior,), 0.5, forgetting=0.9))
