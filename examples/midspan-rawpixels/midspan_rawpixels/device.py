"""The device half: a route provider, which says what it could do, what that would cost, does it, and learns."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from midspan.estimate.linear import OnlineLinear
from midspan.estimate.robust import RobustSeconds
from midspan.routing.route import Route
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.engine import PillowEngine
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Models, Outcome, Session
from midspan_rawpixels import wire

__all__ = ["RawPixelsProvider"]

OVERSAMPLING = 2
"""A JPEG may be decoded at a reduced scale, but at no less than this many times the size that is wanted."""
MAX_MEGAPIXELS = 100.0


class RawPixelsProvider:
    """Resizes and crops with Pillow, and sends the pixels without loss. Offers nothing where Pillow is missing."""

    name = wire.NAME

    def __init__(self) -> None:
        try:
            self._engine: PillowEngine | None = PillowEngine()
        except ImportError:
            self._engine = None

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """One candidate for each variant, if this server runs our server half; `midspan_describe` told the catalog."""
        told = catalog.plugins.get(wire.NAME)
        if self._engine is None or not isinstance(told, Mapping) or told.get("version") != wire.VERSION:
            return []
        if not photo.header.simple or photo.megapixels > MAX_MEGAPIXELS:
            return []
        limit_px = told.get("max_side_px")
        limit_px = limit_px if isinstance(limit_px, int) else 0
        return [Candidate(self.name, variant) for variant in catalog.variants if 0 < variant.side_px <= limit_px]

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """Costs from what was learned. Priors are low: a route that looks dear is never tried, and so never learned."""
        variant, photo, models = candidate.variant, context.photo, context.models
        bytes_up = max(0, round(_size_model(models, variant).predict_one((1.0,))))
        return Route(
            name=self.name,
            provider=self.name,
            variant=variant.name,
            bytes_up=bytes_up,
            device_s=_device_model(models).predict_one((1.0, photo.megapixels)),
            send_s=context.link.transfer_s(bytes_up),
            server_s=_server_model(models, variant).predict_one((1.0,)),
            accuracy=variant.accuracy,
            codec="zlib",
            plan={"variant": variant},
        )

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """Decode, resize, crop, pack; then one exchange. If anything here raises, the photo is sent as it is."""
        variant: VariantInfo = route.plan["variant"]
        assert self._engine is not None, "routes are offered only where there is an engine"
        with session.device():  # this time counts as the device's
            image = self._engine.decode(photo.data, OVERSAMPLING * variant.resize_px)
            image = self._engine.resize(image, variant.resize_px, variant.side_px).convert("RGB")
            payload = wire.pack(variant.side_px, image.tobytes(), zlib.Z_BEST_SPEED)
        return session.infer(payload, wire.CONTENT_TYPE)

    def learn(self, route: Route, outcome: Outcome) -> None:
        """Teach each model the cost that was measured; the client saves them, and teaches the link itself."""
        variant: VariantInfo = route.plan["variant"]
        models = outcome.models
        _device_model(models).learn_one((1.0, outcome.photo.megapixels), outcome.device_s)
        _size_model(models, variant).learn_one((1.0,), outcome.bytes_up)
        if outcome.server_s is not None:
            _server_model(models, variant).learn_one((1.0,), outcome.server_s)


def _device_model(models: Models) -> RobustSeconds:
    """Seconds over (1, megapixels)."""
    return models.get("device", lambda: RobustSeconds((0.002, 0.0005), 0.01))


def _size_model(models: Models, variant: VariantInfo) -> OnlineLinear:
    """A running mean of the payload's bytes; at first, half of what the pixels have."""
    return models.get(f"bytes/{variant.name}", lambda: OnlineLinear((1.5 * variant.side_px**2,), 0.5))


def _server_model(models: Models, variant: VariantInfo) -> RobustSeconds:
    """A running mean of seconds; at first, what the server has learned of running this variant."""
    return models.get(f"server/{variant.name}", lambda: RobustSeconds((variant.server_s.get("run", 0.005),), 0.01))
