"""Preprocess on the device: resize and cut to what the variant takes, encode anew, send the small picture."""

from __future__ import annotations

from collections.abc import Iterable

from midspan.estimate.best import BestOf
from midspan.estimate.features import DECODE_MARGIN
from midspan.estimate.linear import OnlineLinear
from midspan.routing.route import Part, Route
from midspan.wire import PARAMETER_PREPROCESSED
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.engine import Engine, default_engine
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Models, Outcome, Session
from midspan_client.providers.costs import CHANCES, decoded, server_time
from midspan_client.providers.encodings import Encoding, encodings

__all__ = ["ResizedProvider"]

INTERPOLATION = "bicubic"
"""What engines do; a variant that wants another one is resized by the server."""
MAX_MEGAPIXELS = 100.0
BYTES_PER_PIXEL = 0.3
"""Prior of a photo's JPEG at quality 90."""
SIZE_PRIOR = (0.16, 0.25)
"""Bytes sent for each pixel: once, and for each byte per pixel of the photo. 800 photos of the web at quality 90."""
SIZE_PRIOR_WEIGHT = (20.0, 20.0)
"""About two photos' worth."""
SETS = ((0, 1), (0, 1, 2, 3))
"""Of the features of a photo: its bytes alone, or all."""
LEAST_DENSITY, MAX_DENSITY = 0.02, 2.0
"""Bytes per pixel; more is no JPEG, and says nothing of the detail."""


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
        there the server's own rules decide. And none where PieSlicer's two checks (section 5.2) say at once that it
        cannot pay: a photo of no more bytes than would be sent, or of no more pixels.
        """
        readable = catalog.parameters is None or PARAMETER_PREPROCESSED in catalog.parameters
        header, photo_bytes = photo.header, len(photo.data)
        if self._engine is None or not readable or not header.simple or photo.megapixels > MAX_MEGAPIXELS:
            return []
        photo_px = header.width_px * header.height_px
        return [
            Candidate(self.name, variant, codec=f"jpeg{encoding.quality}", plan={"encoding": encoding})
            for variant in catalog.variants
            if 0 < variant.side_px**2 < photo_px and variant.interpolation in ("", INTERPOLATION)
            for encoding in encodings(variant)
            if photo_bytes > (encoding.bytes_mean or BYTES_PER_PIXEL * variant.side_px**2)
        ]

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """Device time and sent size by the photo's features; the link's and the server's time by the sent size."""
        variant, photo, models = candidate.variant, context.photo, context.models
        encoding: Encoding = candidate.plan["encoding"]
        area_px = variant.side_px**2
        bytes_up = max(round(_size_model(models, variant, encoding, photo).predict_one(_density(photo)) * area_px), 1)
        device = Part("device", *_device_model(models, photo).forecast_one(_features(photo, variant), context.at_s))
        link = Part("link", context.link.transfer_s(bytes_up), context.link.sd_s(bytes_up))
        server = server_time(models, variant).forecast(context.at_s)
        prepare = server.prepare(bytes_up / 1e6, area_px / 1e6)
        return Route(
            name=self.name,
            provider=self.name,
            variant=variant.name,
            bytes_up=bytes_up,
            device_s=device.seconds,
            send_s=link.seconds,
            server_s=prepare.seconds + server.fixed.seconds,
            accuracy=encoding.accuracy,
            codec=candidate.codec,
            parts=(device, link, prepare, server.fixed),
            plan={"variant": variant, "encoding": encoding},
        )

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """Decode, resize, encode; then one exchange."""
        variant: VariantInfo = route.plan["variant"]
        encoding: Encoding = route.plan["encoding"]
        engine = self._engine
        assert engine is not None, "routes are offered only where there is an engine"
        with session.device():
            image = engine.decode(photo.data, DECODE_MARGIN * variant.resize_px)
            payload = engine.encode(engine.resize(image, variant.resize_px, variant.side_px), encoding.quality)
        return session.infer(payload, "image/jpeg", {PARAMETER_PREPROCESSED: True})

    def learn(self, route: Route, outcome: Outcome) -> None:
        """All three: device time, sent size, server time."""
        variant: VariantInfo = route.plan["variant"]
        encoding: Encoding = route.plan["encoding"]
        photo, models, area_px = outcome.photo, outcome.models, variant.side_px**2
        if outcome.device_s > 0:
            _device_model(models, photo).learn_one(_features(photo, variant), outcome.device_s, outcome.at_s)
        size, density = _size_model(models, variant, encoding, photo), _density(photo)
        # By relative errors: a small picture's size matters as much as a large one's.
        typical = min(max(size.predict_one(density), LEAST_DENSITY), MAX_DENSITY)
        size.learn_one(density, outcome.bytes_up / area_px, 1 / typical**2)
        server_time(models, variant).learn_one(
            outcome.bytes_up / 1e6, area_px / 1e6, outcome.answer, outcome.server_s, outcome.at_s
        )


def _features(photo: Photo, variant: VariantInfo) -> tuple[float, ...]:
    """1, and in millions: bytes and pixels, as in PieSlicer (section 4.1), and the pixels that are really decoded.

    PieSlicer's width and height are left out: beside the pixels they explain nothing of a resize.
    """
    return 1.0, photo.megabytes, photo.megapixels, decoded(photo, variant)


def _density(photo: Photo) -> tuple[float, float]:
    """1, and bytes per pixel: what is rich in detail stays so when it is small."""
    return 1.0, min(photo.megabytes / max(photo.megapixels, 1e-6), MAX_DENSITY)


def _device_model(models: Models, photo: Photo) -> BestOf:
    """Over `_features`: bytes alone, or all of them. The prior is a fast phone's, so that the route is tried."""

    def make() -> BestOf:
        prior = (0.001, 0.0005, 0.0, 0.0005)
        return BestOf(prior, (1e-4,) * 4, SETS, typical_s=0.03, chances=CHANCES)

    return models.get(f"device/{photo.header.kind}", make)


def _size_model(models: Models, variant: VariantInfo, encoding: Encoding, photo: Photo) -> OnlineLinear:
    """Bytes sent for each pixel, over `_density`; starts at what was measured, if anything was."""

    def make() -> OnlineLinear:
        once, per_density = SIZE_PRIOR
        if encoding.bytes_mean:
            once, per_density = encoding.bytes_mean / variant.side_px**2, 0.0
        return OnlineLinear((once, per_density), SIZE_PRIOR_WEIGHT, forgetting=0.99, nonnegative=True, noise=0.04)

    return models.get(f"bytes/{variant.name}/{encoding.quality}/{photo.header.kind}", make)
