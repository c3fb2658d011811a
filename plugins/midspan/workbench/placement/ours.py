"""The product as a policy: the client's own decider, providers and memory, fed with costs instead of a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from midspan.errors import InternalError
from midspan.routing.objective import Objective
from midspan.routing.route import Route
from midspan.workbench.placement.request import Choice, Measured, PhotoSize
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.decider import Decider
from midspan_client.learning import Memory
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Outcome, RouteProvider
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.store import Store

__all__ = ["MeanSize", "Ours", "Witness", "photo_of"]

VARIANT = "simulated"
OBJECTIVE = Objective()
ROUTES: dict[Choice, str] = {"local": ResizedProvider.name, "remote": OriginalProvider.name}

Witness = Callable[[Route, PhotoSize, Measured, float], None]


class MeanSize(ResizedProvider):
    """As `ResizedProvider`, but what it will send is taken for the mean of what it sent, as in PieSlicer."""

    def __init__(self, sent_bytes: int) -> None:
        super().__init__()
        self._sum_bytes, self._count = sent_bytes, 1

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """The same but for bytes and link."""
        mean_bytes = round(self._sum_bytes / self._count)
        route = super().predict(candidate, context)
        return replace(route, bytes_up=mean_bytes, send_s=context.link.transfer_s(mean_bytes))

    def learn(self, route: Route, outcome: Outcome) -> None:
        """The same, and the mean."""
        super().learn(route, outcome)
        self._sum_bytes += outcome.bytes_up
        self._count += 1


class Ours:
    """Decides and learns as `midspan_client.Client` does, with one variant on offer and nothing saved.

    Args:
        side_px: of the variant.
        witness: told each route that was taken, the photo, what it cost, and when; for a log.
        providers: what offers routes; by default the two that come with the SDK.

    """

    def __init__(
        self, side_px: int, witness: Witness | None = None, providers: Sequence[RouteProvider] | None = None
    ) -> None:
        self._memory = Memory(Store(None, ""), VARIANT)
        self._decider = Decider(providers or (OriginalProvider(), ResizedProvider()), self._memory)
        self._catalog = Catalog((VariantInfo(VARIANT, side_px=side_px, resize_px=side_px),), VARIANT)
        self._witness = witness
        self._photo: Photo | None = None
        self._routes: tuple[Route, ...] = ()
        self.decisions = 0
        self.deciding_s = 0.0

    def choose(self, photo: PhotoSize, at_s: float) -> Choice:
        """What the decider takes."""
        return "local" if self._ask(photo, at_s).name == ROUTES["local"] else "remote"

    def routes(self, photo: PhotoSize, at_s: float) -> dict[Choice, Route]:
        """What each choice on offer is predicted to cost; nothing is chosen."""
        self._ask(photo, at_s)
        self._photo = None
        return {choice: route for choice, name in ROUTES.items() for route in self._routes if route.name == name}

    def learn(self, photo: PhotoSize, choice: Choice, measured: Measured, at_s: float) -> None:
        """As the client's recorder does after an exchange: the link first, then the provider of the route."""
        if self._photo is None:  # somebody else chose
            self._ask(photo, at_s)
        place = self._memory.place
        self._memory.link(place).learn_one((measured.bytes_up, at_s), measured.link_s)
        for route in self._routes:
            if route.name == ROUTES[choice]:  # none is, where a fast check kept it from being offered
                _sound(self._decider.learn(route, self._outcome(route, measured, at_s), place))
                if self._witness:
                    self._witness(route, photo, measured, at_s)
        self._photo = None

    def _ask(self, photo: PhotoSize, at_s: float) -> Route:
        self._photo = photo_of(photo)
        began_s = time.perf_counter()
        decision = self._decider.decide(self._photo, self._catalog, OBJECTIVE, self._memory.place, at_s)
        self.deciding_s += time.perf_counter() - began_s
        self.decisions += 1
        _sound(*decision.warnings)
        assert decision.choice is not None, "the original can always be sent"
        self._routes = decision.choice.routes
        return decision.choice.route

    def _outcome(self, route: Route, measured: Measured, at_s: float) -> Outcome:
        assert self._photo is not None, "learn has asked"
        server_s = measured.prepare_s + measured.fixed_s
        stages_s = {"decode": measured.prepare_s, "prepare": 0.0, "run": measured.fixed_s}
        return Outcome(
            photo=self._photo,
            answer=ServerAnswer({"variant": VARIANT, "server_s": server_s, "stages_s": stages_s}),
            device_s=measured.device_s,
            send_s=measured.link_s,
            server_s=server_s,
            bytes_up=measured.bytes_up,
            models=self._decider.models(route, self._memory.place),
            at_s=at_s,
        )


def _sound(*warnings: str) -> None:
    """A client goes on without a provider that fails; figures of one that did would be of something else."""
    for warning in filter(None, warnings):
        raise InternalError(warning)


class _Beginning(bytes):
    """The first bytes of a photo, which says that it is as long as the whole: nobody here reads further."""

    whole_bytes: int

    def __len__(self) -> int:
        return self.whole_bytes


def photo_of(size: PhotoSize) -> Photo:
    """A photo of that size whose header reads as a JPEG of three colours. It takes no memory for what follows."""
    # Wider pictures are no JPEGs, but there are such photos.
    width, height = (min(side_px, 0xFFFF).to_bytes(2, "big") for side_px in (size.width_px, size.height_px))
    start_of_frame = b"\xff\xc0\x00\x11\x08" + height + width + b"\x03" + 9 * b"\x00"  # ITU-T T.81, B.2.2
    data = _Beginning(b"\xff\xd8" + start_of_frame)
    data.whole_bytes = size.photo_bytes
    return Photo(data)
