"""What can decide where to preprocess: the two static choices, two that know what nobody can, and those that learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from midspan.workbench.placement.cells import Constants
from midspan.workbench.placement.ours import MeanSize, Ours, Witness
from midspan.workbench.placement.pieslicer import PieSlicer
from midspan.workbench.placement.request import Choice, Measured, PhotoSize, Request
from midspan_client.providers.original import OriginalProvider

__all__ = ["LOCAL", "ORACLE", "OURS", "PIESLICERS", "REMOTE", "TRUE_MEANS", "Policy", "policies"]

LOCAL: Final = "local"
REMOTE: Final = "remote"
PIESLICERS: Final = ("pieslicer", "pieslicer-nodelta", "pieslicer-nochecks")
OURS: Final = "ours"
TRUE_MEANS: Final = "true-means"
ORACLE: Final = "oracle"


class Policy(Protocol):
    """One who chooses. `learn` is called once for each request, in order, whoever chose; `choose` at most once before.

    A policy is told what its own choice cost, and never what the other would have.
    """

    def choose(self, photo: PhotoSize, at_s: float) -> Choice:
        """Where to preprocess this photo."""

    def learn(self, photo: PhotoSize, choice: Choice, measured: Measured, at_s: float) -> None:
        """What the choice that was taken did cost."""


Factory: TypeAlias = Callable[[Sequence[Request]], Policy]
"""Makes a policy for one run over these requests. Only those that cheat look at them."""


class Static:
    """Always the same."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def choose(self, photo: PhotoSize, at_s: float) -> Choice:
        """That."""
        return self._choice

    def learn(self, photo: PhotoSize, choice: Choice, measured: Measured, at_s: float) -> None:
        """Nothing."""


class Clairvoyant:
    """Knows of each request which choice is the better one."""

    def __init__(self, better: Sequence[Choice]) -> None:
        self._better = better
        self._at = 0

    @classmethod
    def of_means(cls, requests: Sequence[Request]) -> Clairvoyant:
        """Knows the models without noise: the best that predictions can do."""
        return cls(["local" if one.local_mean_s < one.remote_mean_s else "remote" for one in requests])

    @classmethod
    def of_draws(cls, requests: Sequence[Request]) -> Clairvoyant:
        """Knows the noise, too: the best that there is."""
        return cls(["local" if one.local.total_s < one.remote.total_s else "remote" for one in requests])

    def choose(self, photo: PhotoSize, at_s: float) -> Choice:
        """The better one."""
        return self._better[self._at]

    def learn(self, photo: PhotoSize, choice: Choice, measured: Measured, at_s: float) -> None:
        """The next request comes."""
        self._at += 1


def policies(constants: Constants, witness: Witness | None = None) -> Mapping[str, Factory]:
    """All of them, by name, in the order of tables. `witness` sees what `ours` measures."""
    side_px, sent_bytes = constants.target_side_px, constants.sent_bytes
    return {
        LOCAL: lambda requests: Static("local"),
        REMOTE: lambda requests: Static("remote"),
        PIESLICERS[0]: lambda requests: PieSlicer(constants),
        PIESLICERS[1]: lambda requests: PieSlicer(constants, delta=False),
        PIESLICERS[2]: lambda requests: PieSlicer(constants, checks=False),
        f"{OURS}-meansize": lambda requests: Ours(side_px, providers=(OriginalProvider(), MeanSize(sent_bytes))),
        OURS: lambda requests: Ours(side_px, witness),
        TRUE_MEANS: Clairvoyant.of_means,
        ORACLE: Clairvoyant.of_draws,
    }
