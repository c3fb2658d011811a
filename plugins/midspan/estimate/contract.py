"""What every estimator of this package can do; `midspan.estimate.laws` checks that it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["Estimator"]

E = TypeVar("E", bound="Estimator")


class Estimator(Protocol):
    """A model of one quantity that learns from one measurement at a time.

    Before anything was learned it predicts what its prior says, so there is no "not fitted". A measurement that cannot
    be, and a saved state that is damaged, raise InvalidValueError and change nothing. None is thread-safe.
    """

    def predict_one(self, features: Sequence[float]) -> float:
        """The quantity to expect."""

    def sd_one(self, features: Sequence[float]) -> float:
        """The standard deviation of the error to expect of `predict_one`, in the quantity's unit."""

    def learn_one(self: E, features: Sequence[float], target: float) -> E:
        """Take in one measurement. Returns self."""

    def clone(self: E) -> E:
        """A new one with the same arguments that has learned nothing."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON; `from_dict` makes of it one that goes on alike."""

    @classmethod
    def from_dict(cls: type[E], state: Mapping[str, Any]) -> E:
        """Read what `to_dict` wrote."""
