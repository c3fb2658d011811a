"""How long a provider has not been taken for one kind of photo, so that none is given up for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midspan.errors import InvalidValueError

__all__ = ["Waiting"]

PATIENCE = 30
"""Requests that go another way before a provider is tried again."""
MOST = 960
"""Each try that changes nothing doubles them, up to this."""


class Waiting:
    """Counts the requests since one provider was taken. A phone that was hot cools down, and nobody measures it.

    A `Model` to the client's store.
    """

    __slots__ = ("patience_", "requests_")

    def __init__(self) -> None:
        self.requests_ = 0
        self.patience_ = PATIENCE

    @property
    def due(self) -> bool:
        """Whether it should be tried again."""
        return self.requests_ >= self.patience_

    def passed(self) -> None:
        """Another provider was taken."""
        self.requests_ = min(self.requests_ + 1, MOST)

    def taken(self) -> None:
        """It was taken: if that was a try, the next must wait longer; if it is taken as a rule, it need not."""
        self.patience_ = min(2 * self.patience_, MOST) if self.due else PATIENCE
        self.requests_ = 0

    def to_dict(self) -> dict[str, Any]:
        """Both numbers, as JSON."""
        return {"requests": self.requests_, "patience": self.patience_}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Waiting:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        requests, patience = state.get("requests"), state.get("patience")
        if type(requests) is not int or not 0 <= requests <= MOST:
            raise InvalidValueError(f"requests must be between 0 and {MOST}, got {requests!r}")
        if type(patience) is not int or not PATIENCE <= patience <= MOST:
            raise InvalidValueError(f"patience must be between {PATIENCE} and {MOST}, got {patience!r}")
        model = cls()
        model.requests_, model.patience_ = requests, patience
        return model
