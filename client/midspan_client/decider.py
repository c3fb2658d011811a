"""From a photo to a choice: ask every provider, then the one chooser."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from midspan.errors import InvalidValueError
from midspan.routing.chooser import Choice, choose
from midspan.routing.objective import Objective
from midspan.routing.route import Route
from midspan_client.catalog import Catalog
from midspan_client.learning import SHARED, Memory, Place, ProviderModels
from midspan_client.photo import Photo
from midspan_client.provider import Context, Outcome, RouteProvider
from midspan_client.store import EVERYWHERE
from midspan_client.waiting import Waiting

__all__ = ["Decider", "Decision"]

MAX_ROUTES = 10_000
WORTH = 0.5
"""A provider is tried again where, but for its work on the device, it would take less than this part of the time."""
_logger = logging.getLogger("midspan_client")


@dataclass(frozen=True, slots=True)
class Decision:
    """`choice` is None where no provider offers anything. `warnings` has one text for each provider that failed."""

    choice: Choice | None
    warnings: tuple[str, ...]


class Decider:
    """Asks all providers and keeps each one's failure to itself. Not thread-safe: the client's lock is around it."""

    def __init__(self, providers: Sequence[RouteProvider], memory: Memory) -> None:
        self._memory = memory
        self._providers = {provider.name: provider for provider in providers}
        self._waits: dict[str, dict[str, Waiting]] = {}

    def decide(self, photo: Photo, catalog: Catalog, objective: Objective, place: Place, at_s: float) -> Decision:
        """The best of all routes that are offered. `at_s` is the time on the client's clock."""
        routes: list[Route] = []
        warnings: list[str] = []
        link = self._memory.link(place).forecast(at_s)
        for provider in self._providers.values():
            context = Context(photo, catalog, objective, link, ProviderModels(self._memory, provider.name, place), at_s)
            try:
                routes += self._routes(provider, context)
            except Exception as error:  # a stranger's code can raise anything; its routes are lost, nothing else is
                warnings.append(_warn(provider.name, "could offer no route", error))
        choice = self._retried(choose(routes, objective), self._waiting(photo)) if routes else None
        return Decision(choice, tuple(warnings))

    def provider(self, route: Route) -> RouteProvider:
        """Whose route it is."""
        return self._providers[route.provider]

    def models(self, route: Route, place: Place) -> ProviderModels:
        """The models of the provider whose route it is, for a request that began in that place."""
        return ProviderModels(self._memory, route.provider, place)

    def learn(self, route: Route, outcome: Outcome, place: Place) -> str:
        """Let the provider compare. Returns a warning, "" if all went well."""
        try:
            self._providers[route.provider].learn(route, outcome)
        except Exception as error:  # as above; the answer is there already
            return _warn(route.provider, "could not learn", error)
        for name, waiting in self._waiting(outcome.photo).items():
            if name == route.provider:
                waiting.taken()
            else:
                waiting.passed()
        self._memory.learned(f"{route.provider}/", place)
        return ""

    def _retried(self, choice: Choice, waits: Mapping[str, Waiting]) -> Choice:
        """Another route for once, if nothing but its own work on the device speaks against it, and that is old news.

        What a network or a server takes is learned from every route, what a provider does on the device only from its
        own. Only what could be much quicker is worth a try.
        """
        objective, best = choice.objective, choice.route
        due = [name for name, waiting in waits.items() if waiting.due and name != best.provider]
        if not due or objective.goal != "time":
            return choice
        again = [
            route
            for route in choice.routes
            if route.provider in due
            and route.send_s + route.server_s < WORTH * best.total_s
            and (objective.sla_s is None or route.total_s <= objective.sla_s)
            and (objective.min_accuracy is None or (route.accuracy or 0.0) >= objective.min_accuracy)
        ]
        if not again:
            return choice
        route = min(again, key=lambda route: route.total_s)
        waited = waits[route.provider].requests_
        return replace(choice, route=route, reason=f"tried again: not measured for {waited} requests")

    def _waiting(self, photo: Photo) -> dict[str, Waiting]:
        """Of each provider, for photos of this kind: what one kind takes on the device tells nothing of another."""
        kind = photo.header.kind
        if kind not in self._waits:
            self._waits[kind] = {
                name: self._memory.model(EVERYWHERE, f"{SHARED}waiting/{name}/{kind}", Waiting)
                for name in self._providers
            }
        return self._waits[kind]

    def _routes(self, provider: RouteProvider, context: Context) -> list[Route]:
        routes = [provider.predict(one, context) for one in provider.enumerate(context.photo, context.catalog)]
        for route in routes:
            if not isinstance(route, Route) or route.provider != provider.name:
                raise InvalidValueError(
                    f"predict must return a Route of provider {provider.name!r}, got {route!r}"[:300]
                )
        if len(routes) > MAX_ROUTES:
            raise InvalidValueError(f"at most {MAX_ROUTES} routes are allowed, got {len(routes)}")
        return routes


def _warn(provider: str, what: str, error: Exception) -> str:
    text = f"provider {provider!r} {what}: {type(error).__name__}: {error}"[:500]
    _logger.warning("%s", text)
    return text
