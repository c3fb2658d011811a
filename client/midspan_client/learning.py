"""All models of one client: made once, found by name, saved when they changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

from midspan.estimate.link import LinkModel
from midspan_client.provider import Model, Models
from midspan_client.store import EVERYWHERE, Store

__all__ = ["Memory", "Place", "ProviderModels"]

M = TypeVar("M", bound=Model)
SHARED = "shared/"
"""Before the names of models that all providers share."""
_logger = logging.getLogger("midspan_client")


class Place(NamedTuple):
    """Which network was in use: what the store calls it, and how many had been in use before.

    Two places are equal only if the device did not change networks in between, not even to and fro.
    """

    network: str
    before: int


class Memory:
    """Models by provider, network and name. Not thread-safe: the client's lock is around every use."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._models: dict[str, dict[str, Any]] = {EVERYWHERE: {}}
        self.network = network
        self.place = self._place(network, 0)

    def move(self, network: str) -> None:
        """The device is on that network now. Models of networks that were not used for long are forgotten."""
        if network != self.network:
            self.network = network
            self.place = self._place(network, self.place.before + 1)

    def model(self, network: str, name: str, make: Callable[[], M]) -> M:
        """The model of that name, as saved if it still has the shape of what `make` makes, else a new one."""
        models = self._models.get(network)
        if models is None:  # forgotten while the request was under way
            return make()
        found = models.get(name)
        if found is None:
            found = models[name] = self._restored(network, name, make())
        return cast(M, found)

    def link(self, place: Place) -> LinkModel:
        """The model of the link in that place."""
        return self.model(place.network, "link", LinkModel)

    def learned(self, prefix: str, place: Place) -> None:
        """Save what may have changed in a request that began there: the models whose names start so."""
        for network in (EVERYWHERE, place.network) if place == self.place else (EVERYWHERE,):
            for name, model in self._models[network].items():
                if name.startswith((prefix, SHARED)):
                    self._store.save(network, name, model.to_dict)

    def _place(self, network: str, before: int) -> Place:
        place = Place(self._store.network_id(network), before)
        for forgotten in self._store.use(place.network):
            self._models.pop(forgotten, None)
        self._models.setdefault(place.network, {})
        return place

    def _restored(self, network: str, name: str, fresh: M) -> M:
        state = self._store.load(network, name)
        if state is None:
            return fresh
        try:
            restored = type(fresh).from_dict(state)
            if _shape(restored.to_dict()) != _shape(fresh.to_dict()):
                raise ValueError("it has another shape than this version's")
        except Exception as error:  # a stranger's model can raise anything over a damaged file
            _logger.warning("the saved model %s of network %r is dropped: %s", name, network, error)
            return fresh
        return cast(M, restored)


class ProviderModels(Models):
    """One provider's view of the memory, for one request, in the place where that began."""

    __slots__ = ("_memory", "_place", "_prefix")

    def __init__(self, memory: Memory, provider: str, place: Place) -> None:
        self._memory = memory
        self._place = place
        self._prefix = f"{provider}/"

    def get(self, name: str, make: Callable[[], M], *, per_network: bool = False, shared: bool = False) -> M:
        """The model of that name."""
        name = (SHARED if shared else self._prefix) + name
        if not per_network:
            return self._memory.model(EVERYWHERE, name, make)
        model = self._memory.model(self._place.network, name, make)
        if self._place == self._memory.place:
            return model
        # The network changed under way: nobody knows which of both was measured, so the lesson goes into a copy.
        return cast(M, type(model).from_dict(model.to_dict()))


def _shape(value: Any) -> Any:
    """A JSON value with its numbers blanked: what two states of the same model have in common."""
    if isinstance(value, dict):
        return {key: _shape(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(entry) for entry in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value
