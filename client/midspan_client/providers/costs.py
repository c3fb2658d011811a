"""What routes share: the server's time, which does not depend on who sent the payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midspan.estimate.features import decoded_megapixels
from midspan.estimate.robust import RobustSeconds
from midspan.routing.route import Part
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import VariantInfo
from midspan_client.photo import Photo
from midspan_client.provider import Models
from midspan_client.servermodel import NewestServerModel, sent_server_model

__all__ = ["CHANCES", "ServerForecast", "ServerTime", "decoded", "server_time"]

CHANCES = 3
"""Tries before a route is judged by what it took: the first one of a process or a server is often slow."""
S_PER_GMAC = 0.01
PRIOR_PREPARE = (0.0005, 0.002, 0.001)
"""Once, for each megabyte, for each megapixel. All priors are on the low side: a route is tried before it is judged."""


@dataclass(frozen=True, slots=True)
class ServerForecast:
    """The server as it is expected to be at one moment.

    Attributes:
        prepare_coefficients: seconds of in-cloud preprocessing: once, per megabyte sent, per megapixel decoded of it.
        prepare_relative_sd: standard deviation of the error to expect, as a part of the predicted seconds.
        fixed: the rest of the server's time.

    """

    prepare_coefficients: tuple[float, float, float]
    prepare_relative_sd: float
    fixed: Part

    def prepare(self, megabytes: float, megapixels: float) -> Part:
        """In-cloud preprocessing of a payload of that size."""
        once_s, per_megabyte_s, per_megapixel_s = self.prepare_coefficients
        seconds = once_s + megabytes * per_megabyte_s + megapixels * per_megapixel_s
        return Part("prepare", seconds, seconds * self.prepare_relative_sd)


class ServerTime:
    """What one variant takes on the server: preparing, over (1, megabytes, decoded megapixels), and the rest.

    Both routes learn and read the same: a server that is cold or busy says nothing against the route that met it. The
    prior is what the server has learned of all its callers, where it has; what rides on answers replaces it.
    """

    __slots__ = ("_forecast", "_forecast_at_s", "fixed_", "newest_", "prepare_")

    def __init__(self, variant: VariantInfo) -> None:
        known = variant.server_model
        if known is not None:
            prepare, fixed_s = known.prepare_coefficients, known.fixed_s
        else:
            prepare, fixed_s = PRIOR_PREPARE, variant.server_s.get("run", variant.macs / 1e9 * S_PER_GMAC)
        self.prepare_ = RobustSeconds(prepare, 1e-4, typical_s=0.01, chances=CHANCES)
        self.fixed_ = RobustSeconds((fixed_s,), 1e-4, typical_s=0.02, chances=CHANCES)
        self.newest_ = NewestServerModel()
        self._forecast: ServerForecast | None = None
        self._forecast_at_s = 0.0

    def forecast(self, at_s: float) -> ServerForecast:
        """The server as it is expected to be at `at_s`, on the client's clock."""
        if self._forecast is None or self._forecast_at_s != at_s:
            once_s, per_megabyte_s, per_megapixel_s = self.prepare_.weights(at_s)
            (fixed_s,) = self.fixed_.weights(at_s)
            self._forecast = ServerForecast(
                (once_s, per_megabyte_s, per_megapixel_s),
                self.prepare_.relative_sd,
                Part("fixed", fixed_s, fixed_s * self.fixed_.relative_sd),
            )
            self._forecast_at_s = at_s
        return self._forecast

    def learn_one(
        self, megabytes: float, megapixels: float, answer: ServerAnswer, server_s: float | None, at_s: float
    ) -> ServerTime:
        """Learn from what the server says that it took for a payload of that size, and of what it has learned."""
        self._forecast = None
        known = self.newest_.learn_one(sent_server_model(answer.report)).model_
        if known is not None:
            if known.prepare_coefficients != tuple(self.prepare_.linear_.prior_mean):
                self.prepare_.rebase(known.prepare_coefficients)
            if known.fixed_s != self.fixed_.linear_.prior_mean[0]:
                self.fixed_.rebase((known.fixed_s,))
        if server_s is None:
            return self
        size, prepare_s = (1.0, megabytes, megapixels), answer.prepare_s
        if prepare_s is None or prepare_s > server_s:  # a server that tells the sum alone, or nonsense
            prepare_s = min(self.prepare_.predict_one(size, at_s), server_s)
        self.prepare_.learn_one(size, prepare_s, at_s)
        self.fixed_.learn_one((1.0,), server_s - prepare_s, at_s)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Everything but the server's own model, as JSON: the next catalog brings that again."""
        return {"prepare": self.prepare_.to_dict(), "fixed": self.fixed_.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ServerTime:
        """Read what `to_dict` wrote. Raises InvalidValueError, or a TypeError for what is no table."""
        model = cls(VariantInfo(""))
        model.prepare_ = RobustSeconds.from_dict(state["prepare"])
        model.fixed_ = RobustSeconds.from_dict(state["fixed"])
        return model


def server_time(models: Models, variant: VariantInfo) -> ServerTime:
    """The model that all providers share of this variant."""
    return models.get(f"server/{variant.name}", lambda: ServerTime(variant), shared=True)


def decoded(photo: Photo, variant: VariantInfo) -> float:
    """Megapixels that come out of a decoder of this photo, here or there; all of them where the size is not known."""
    header = photo.header
    jpeg = header.content_type == "image/jpeg" and variant.resize_px > 0
    return decoded_megapixels(header.width_px, header.height_px, variant.resize_px, jpeg=jpeg)
