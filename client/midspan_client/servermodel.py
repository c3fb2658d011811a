"""What a server says of its own time: learned over there from all its callers, checked here before anybody believes it.

PieSlicer (section 4.3) trains the models of in-cloud preprocessing on the server, which sees every device's requests,
and hands their coefficients to the devices with the answers. What comes over the network may be anything, so a model
is taken only if everything that it can ever predict is finite, not negative and shorter than an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Complaints", "NewestServerModel", "ServerModel", "parse_server_model", "sent_server_model"]

MAX_S = 3600.0
"""The most that a model may predict for the largest photo."""
_LARGEST = (1.0, 100.0, 100.0)
"""The features of the largest photo: itself, megabytes, megapixels."""
MAX_RELATIVE_SD = 10.0
_WHOLE = (("version", 2**53), ("samples", 10**9))
_NUMBERS = (("prepare_relative_sd", MAX_RELATIVE_SD), ("fixed_s", MAX_S), ("fixed_relative_sd", MAX_RELATIVE_SD))
_logger = logging.getLogger("midspan_client")

Complain: TypeAlias = Callable[[str, object], None]
"""Told why a model is rejected, in words that are the same for each cause, and what was got."""


@dataclass(frozen=True, slots=True)
class ServerModel:
    """Seconds that one request for one variant takes on the server, its queue left out.

    Attributes:
        version: grows with each training.
        prepare_coefficients: seconds to prepare (decode, resize, normalise): once, for each megabyte (1e6 bytes) of
            payload, for each megapixel that comes out of the decoder (`midspan.estimate.features`). None is negative.
        prepare_relative_sd: standard deviation of the error, as a fraction of the predicted seconds.
        fixed_s: seconds for everything else, whatever the photo.
        fixed_relative_sd: the same for them.
        samples: how many requests the server learned from.

    """

    version: int
    prepare_coefficients: tuple[float, float, float]
    prepare_relative_sd: float
    fixed_s: float
    fixed_relative_sd: float
    samples: int

    def prepare_s(self, megabytes: float, megapixels: float) -> float:
        """Predicted seconds to prepare a payload of this size; `megapixels` come out of the decoder."""
        once_s, per_megabyte_s, per_megapixel_s = self.prepare_coefficients
        return once_s + per_megabyte_s * megabytes + per_megapixel_s * megapixels

    def prepare_sd_s(self, megabytes: float, megapixels: float) -> float:
        """Standard deviation in seconds of the error that is to be expected of `prepare_s`."""
        return self.prepare_relative_sd * self.prepare_s(megabytes, megapixels)

    @property
    def fixed_sd_s(self) -> float:
        """Standard deviation in seconds of the error that is to be expected of `fixed_s`."""
        return self.fixed_relative_sd * self.fixed_s


def parse_server_model(value: Any, complain: Complain = lambda cause, got: None) -> ServerModel | None:
    """Read what a server sent; None if it sent none, or anything absurd, of which `complain` is told.

    Keys that it does not know are ignored. Never raises, whatever `value` is.
    """
    if value is None:
        return None
    fault = _fault(value)
    if fault is not None:
        complain(*fault)
        return None
    once_s, per_megabyte_s, per_megapixel_s = map(float, value["prepare_s"])
    return ServerModel(
        version=value["version"],
        prepare_coefficients=(once_s, per_megabyte_s, per_megapixel_s),
        prepare_relative_sd=float(value["prepare_relative_sd"]),
        fixed_s=float(value["fixed_s"]),
        fixed_relative_sd=float(value["fixed_relative_sd"]),
        samples=value["samples"],
    )


def sent_server_model(report: Mapping[str, Any]) -> Any:
    """What the report of an answer holds as the server's model, unchecked; None if it holds none."""
    found: Any = report
    for key in ("plugins", "preprocess", "server_model"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _fault(value: Any) -> tuple[str, object] | None:
    """Why it is no model, in words that are the same for each cause, and what was got; None if nothing is wrong."""
    if not isinstance(value, Mapping):
        return "it must be a JSON object", value
    for key, highest in _WHOLE:
        got = value.get(key)
        if not isinstance(got, int) or not _is_number(got, 1, highest):
            return f"{key} must be a whole number between 1 and {highest}", got
    for key, most in _NUMBERS:
        if not _is_number(value.get(key), 0, most):
            return f"{key} must be a number between 0 and {most:g}", value.get(key)
    coefficients = value.get("prepare_s")
    if not isinstance(coefficients, list) or len(coefficients) != len(_LARGEST):
        return f"prepare_s must be a list of {len(_LARGEST)} numbers", coefficients
    if not all(_is_number(one, 0, MAX_S) for one in coefficients):
        return f"prepare_s must be numbers between 0 and {MAX_S:g}", coefficients
    longest_s = sum(one * size for one, size in zip(coefficients, _LARGEST, strict=True))
    if longest_s > MAX_S:
        _, megabytes, megapixels = _LARGEST
        return f"prepare_s must be at most {MAX_S:g} s for {megabytes:g} MB and {megapixels:g} megapixels", longest_s
    return None


def _is_number(value: Any, minimum: float, maximum: float) -> bool:
    """Whether it is a number in these bounds, which NaN never is."""
    return isinstance(value, int | float) and not isinstance(value, bool) and minimum <= value <= maximum


class Complaints:
    """Logs each cause once, with what was got the first time."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, cause: str, got: object) -> None:
        """A model is rejected for this."""
        if cause not in self._told:
            self._told.add(cause)
            _logger.warning("a model of the server's time is rejected: %s, got %.100r", cause, got)


class NewestServerModel:
    """The newest usable model that a server has sent for one variant; logs once of each cause why it rejects others.

    It is a `Model` to the client's store, but saves nothing: the next catalog brings the model again.
    """

    __slots__ = ("_complaints", "model_")

    def __init__(self) -> None:
        self.model_: ServerModel | None = None
        self._complaints = Complaints()

    def learn_one(self, value: Any) -> NewestServerModel:
        """Take what an answer's report or a catalog's row holds as `server_model`: JSON, or a ServerModel, or None.

        An older version than the one at hand is no fault: the workers of one host hear of a new model at different
        moments. It is passed over, and so is the same version again.
        """
        known = self.model_
        if known is not None and isinstance(value, Mapping) and value.get("version") == known.version:
            return self  # nearly always: what was checked once is not checked again
        model = value if isinstance(value, ServerModel) else parse_server_model(value, self._complaints)
        if model is not None and (known is None or model.version > known.version):
            self.model_ = model
        return self

    def to_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> NewestServerModel:
        """A new one."""
        return cls()
