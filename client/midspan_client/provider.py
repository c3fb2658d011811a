"""The seam through which an ability's device half comes in: a route provider has four verbs.

::

    enumerate ──► candidates ──► predict ──► routes ──► (the one chooser) ──► execute ──► answer ──► learn

A provider is a class without required constructor arguments, named by an entry point in the group ``midspan.routes``,
or an object given to ``Client(providers=[...])``. It should hold no learned state of its own: what it learns goes into
`models`, which the client saves, and which belong to this provider alone.

What a provider can rely on: `enumerate`, `predict` and `learn` are never called at the same time as each other, and
`learn` only after an `execute` of its own that succeeded. What it cannot rely on: that all its routes are predicted,
chosen or executed, that `execute` runs in one thread, or that requests end in the order in which they began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from midspan.estimate.link import LinkForecast
from midspan.routing.objective import Objective
from midspan.routing.route import Route
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.photo import Photo

__all__ = ["GROUP", "Candidate", "Context", "Model", "Models", "Outcome", "RouteProvider", "Session"]

GROUP = "midspan.routes"
"""The entry-point group of the device half of plug-ins."""


class Model(Protocol):
    """Something that learns and can be saved as JSON, 16 KiB at most: all of `midspan.estimate` are such."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Model:
        """Read what `to_dict` wrote. Raises a ValueError for anything damaged."""


M = TypeVar("M", bound=Model)


class Models(Protocol):
    """The learned models of one provider."""

    def get(self, name: str, make: Callable[[], M], *, per_network: bool = False, shared: bool = False) -> M:
        """The model of that name; made by `make`, its prior, where nothing usable was saved.

        A `shared` one is the same for all providers that ask for the name, as the server's time is.

        The same object comes back until the client closes, or, with `per_network`, until the network changes. Change
        it in `learn` only: what changed there is saved. Where the network changed while a request was under way,
        `learn` gets copies of what it keeps per network: nobody knows which of both it measured.
        """


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something a provider could do with a photo, before it is known what it costs. `plan` is the provider's own."""

    name: str
    variant: VariantInfo
    cut: int = 0
    codec: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What a prediction may depend on.

    `link` is the network in use, as it is expected to be now, and `at_s` is now, on the client's clock.
    """

    photo: Photo
    catalog: Catalog
    objective: Objective
    link: LinkForecast
    models: Models
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a route did cost.

    Attributes:
        photo: the photo.
        answer: what `execute` returned.
        device_s: seconds inside ``with session.device():``.
        send_s: seconds of exchanges less `server_s`; the client has taught the link already.
        server_s: what the server reported, at most what the exchanges took; or None if it did not.
        bytes_up: bytes of payload in all exchanges.
        models: this provider's models.
        at_s: when it ended, on the client's clock.

    """

    photo: Photo
    answer: ServerAnswer
    device_s: float
    send_s: float
    server_s: float | None
    bytes_up: int
    models: Models
    at_s: float = 0.0


class Session(Protocol):
    """One request under way. Belongs to the thread that runs `execute`."""

    def infer(
        self,
        payload: bytes,
        content_type: str = "",
        parameters: Mapping[str, bool | int | float | str] | None = None,
        *,
        idempotent: bool = True,
    ) -> ServerAnswer:
        """Ask the server. The route's variant and the caller's `top_k` are added.

        Tried again within bounds, unless `idempotent` is False: then the payload is sent once at most. May be called
        several times, or never. Raises a MidspanClientError; let it pass.
        """

    def device(self) -> AbstractContextManager[None]:
        """``with session.device():`` around work on the device, so that its time can be learned."""


class RouteProvider(Protocol):
    """The device half of an ability.

    Whatever `enumerate`, `predict` or `learn` raises costs this provider its routes (or its lesson) for that request
    and is reported in `Answer.warnings`; whatever `execute` raises makes the client send the photo as it is.
    """

    @property
    def name(self) -> str:
        """Unique among the providers of a client; every route of this provider bears it."""

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """What could be done with this photo on this server. Quick: microseconds, no decoding, no network.

        `catalog` holds only the variants that are open to choice. Offer nothing where something is missing: a library,
        a parameter that the server does not read, a plug-in that it does not run.
        """

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """What a candidate will cost. Quick as well.

        Predict on the low side what was never measured, or the route will never be tried.
        """

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """Do it, and return what `session.infer` returned or an answer made on the device."""

    def learn(self, route: Route, outcome: Outcome) -> None:
        """Compare `route` (predicted) with `outcome` (measured) and teach `outcome.models`."""
