"""How an experiment's policy steers a real client: of the client's own routes, those are offered that it leaves open.

::

    client ─▶ enumerate ─▶ Steering: the policy's choice, or both ─▶ the real provider ─▶ … ─▶ learn ─▶ the policy, too
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, get_args

from midspan.routing.route import Route
from midspan.workbench.placement.policies import Policy
from midspan.workbench.placement.request import Choice, Measured, PhotoSize
from midspan_client import Candidate, Catalog, Context, Outcome, Photo, RouteProvider, ServerAnswer, Session
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider

__all__ = ["SteeredProvider", "Steering", "measured", "steered_providers"]

BOTH: Final[tuple[Choice, ...]] = get_args(Choice)


class Steering:
    """Which of the two choices one client may take. One thread's, one photo after the other.

    `forced` overrides the policy while it is set. A policy of None leaves both open: the client chooses.
    """

    def __init__(self, policy: Policy | None, clock: Callable[[], float]) -> None:
        self.forced: Choice | None = None
        self._policy = policy
        self._clock = clock
        self._photo: Photo | None = None
        self._open: Collection[Choice] = BOTH

    def open_to(self, photo: Photo) -> Collection[Choice]:
        """The choices for this photo; the policy is asked once for each."""
        if photo is not self._photo:
            self._photo, self._open = photo, self._decide(photo)
        return self._open

    def learn(self, photo: Photo, choice: Choice, outcome: Outcome) -> None:
        """Tell the policy what its choice, or one that was forced on it, did cost."""
        if self._policy is not None:
            self._policy.learn(_size(photo), choice, measured(outcome), self._clock())

    def _decide(self, photo: Photo) -> Collection[Choice]:
        if self.forced is not None:
            return (self.forced,)
        return BOTH if self._policy is None else (self._policy.choose(_size(photo), self._clock()),)


class SteeredProvider:
    """A route provider like another, but for the photos to which it is not open."""

    def __init__(self, provider: RouteProvider, choice: Choice, steering: Steering) -> None:
        self.name = provider.name
        self._provider = provider
        self._choice: Choice = choice
        self._steering = steering

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """The other's, or nothing."""
        return self._provider.enumerate(photo, catalog) if self._choice in self._steering.open_to(photo) else ()

    def predict(self, candidate: Candidate, context: Context) -> Route:
        """The other's."""
        return self._provider.predict(candidate, context)

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        """The other's."""
        return self._provider.execute(route, photo, session)

    def learn(self, route: Route, outcome: Outcome) -> None:
        """Both learn: the other and the policy."""
        self._provider.learn(route, outcome)
        self._steering.learn(outcome.photo, self._choice, outcome)


def steered_providers(steering: Steering, resized: ResizedProvider) -> list[RouteProvider]:
    """Two routes under that steering: the client's own for the original, and `resized`."""
    return [
        SteeredProvider(OriginalProvider(), "remote", steering),
        SteeredProvider(resized, "local", steering),
    ]


def measured(outcome: Outcome) -> Measured:
    """The four components of a request's time (PieSlicer, section 4.1)."""
    server_s = outcome.server_s or 0.0
    prepare_s = min(outcome.answer.prepare_s or 0.0, server_s)
    return Measured(outcome.device_s, outcome.send_s, prepare_s, server_s - prepare_s, outcome.bytes_up)


def _size(photo: Photo) -> PhotoSize:
    return PhotoSize(len(photo.data), photo.header.width_px, photo.header.height_px)
