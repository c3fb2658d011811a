"""All models of one client: made once, found by name, saved when they changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from midspan.estimate.link import LinkModel
from midspan_client.provider import Model, Models
from midspan_client.store import Store

__all__ = ["Memory", "ProviderModels"]

M = TypeVar("M", bound=Model)
EVERYWHERE = ""
"""Stands for "whatever the network" in the store."""
MAX_MODELS = 10_000
_logger = logging.getLogger("midspan_client")


class Memory:
    """Models by provider, network and name. Not thread-safe: the client's lock is around every use."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._models: dict[tuple[str, str], Any] = {}
        self.network = network

    def model(self, network: str, name: str, make: Callable[[], M]) -> M:
        """The model of that name, as saved if it still has the shape of what `make` makes, else a new one."""
        found = self._models.get((network, name))
        if found is None:
            found = self._models[network, name] = self._restored(network, name, make())
        return cast(M, found)

    @property
    def link(self) -> LinkModel:
        """The model of the network in use."""
        return self.model(self.network, "link", LinkModel)

    def learned(self, prefix: str) -> None:
        """Save what may have changed: the models whose names start so, on this network or on any."""
        for (network, name), model in self._models.items():
            if name.startswith(prefix) and network in (self.network, EVERYWHERE):
                self._store.save(network, name, model.to_dict)

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
    """One provider's view of the memory."""

    __slots__ = ("_memory", "_prefix")

    def __init__(self, memory: Memory, provider: str) -> None:
        self._memory = memory
        self._prefix = f"{provider}/"

    def get(self, name: str, make: Callable[[], M], *, per_network: bool = False) -> M:
        """The model of that name."""
        return self._memory.model(self._memory.network if per_network else EVERYWHERE, self._prefix + name, make)

    def learned(self) -> None:
        """Save them."""
        self._memory.learned(self._prefix)


def _shape(value: Any) -> Any:
    """A JSON value with its numbers blanked: what two states of the same model have in common."""
    if isinstance(value, dict):
        return {key: _shape(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(entry) for entry in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value
