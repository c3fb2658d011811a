"""The plain route: the photo as it is; the server does everything."""

from __future__ import annotations

from collections.abc import Iterable

from midspan.routing.route import Part, Route
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Outcome, Session
from midspan_client.providers.costs import decoded, server_time

__all__ = ["OriginalProvider"]


class OriginalProvider:
    """Sends the bytes unchanged. Costs the device nothing, the link most."""

    name = "original"

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """One candidate for each variant, unless the photo has more bytes or pixels than the server allows."""
        if catalog.max_payload_bytes is not None and len(photo.data) > catalog.max_payload_bytes:
            return []
        if catalog.max_pixels is not None and photo.megapixels * 1e6 > catalog.max_pixels:
            return []
        return [Candidate(self.name, variant) for variant in catalog.variants]

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """The link's time for these bytes, and the server's for these pixels."""
        variant, photo = candidate.variant, context.photo
        bytes_up = len(photo.data)
        link = Part("link", context.link.transfer_s(bytes_up), context.link.sd_s(bytes_up))
        server = server_time(context.models, variant).forecast(context.at_s)
        prepare = server.prepare(photo.megabytes, decoded(photo, variant))
        return Route(
            name=self.name,
            provider=self.name,
            variant=variant.name,
            bytes_up=bytes_up,
            device_s=0.0,
            send_s=link.seconds,
            server_s=prepare.seconds + server.fixed.seconds,
            accuracy=variant.accuracy,
            parts=(link, prepare, server.fixed),
            plan={"variant": variant},
        )

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """One exchange."""
        return session.infer(photo.data, photo.header.content_type)

    def learn(self, route: Route, outcome: Outcome) -> None:
        """The server's time alone: nothing happens on the device, and the client teaches the link."""
        photo, variant = outcome.photo, route.plan["variant"]
        server_time(outcome.models, variant).learn_one(
            photo.megabytes, decoded(photo, variant), outcome.answer, outcome.server_s, outcome.at_s
        )
