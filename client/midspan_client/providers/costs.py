"""What the two built-in routes share: the parts of the server's time, predicted and learned."""

from __future__ import annotations

from midspan.estimate.features import decoded_megapixels
from midspan.estimate.robust import RobustSeconds
from midspan.routing.route import Part
from midspan_client.catalog import VariantInfo
from midspan_client.photo import Photo
from midspan_client.provider import Models, Outcome
from midspan_client.servermodel import NewestServerModel, ServerModel, sent_server_model

__all__ = ["CHANCES", "decoded", "learn_server", "server_parts"]

S_PER_GMAC = 0.01
PRIOR_PREPARE = (0.0005, 0.002, 0.001)
"""Once, for each megabyte, for each megapixel. All priors are on the low side: a route is tried before it is judged."""

CHANCES = 3
"""Tries before a route is judged by what it took: the first one of a process or a server is often slow."""


def decoded(photo: Photo, variant: VariantInfo) -> float:
    """Megapixels that come out of a decoder of this photo, here or there; all of them where the size is not known."""
    header = photo.header
    jpeg = header.content_type == "image/jpeg" and variant.resize_px > 0
    return decoded_megapixels(header.width_px, header.height_px, variant.resize_px, jpeg=jpeg)


def server_parts(
    models: Models, variant: VariantInfo, megabytes: float, megapixels: float, at_s: float
) -> tuple[Part, Part]:
    """In-cloud preprocessing of a payload of that size, and the rest of the server's time."""
    prepare_s, prepare_sd_s = _prepare(models, variant).forecast_one((1.0, megabytes, megapixels), at_s)
    fixed_s, fixed_sd_s = _fixed(models, variant).forecast_one((1.0,), at_s)
    return Part("prepare", prepare_s, prepare_sd_s), Part("fixed", fixed_s, fixed_sd_s)


def learn_server(outcome: Outcome, variant: VariantInfo, megabytes: float, megapixels: float) -> None:
    """Learn from what the server measured, and from what it has learned of all its callers."""
    models, answer = outcome.models, outcome.answer
    prepare, fixed = _prepare(models, variant), _fixed(models, variant)
    newest = models.get(f"newest/{variant.name}", NewestServerModel)
    known = newest.learn_one(sent_server_model(answer.report)).model_
    if known is not None and (*known.prepare_coefficients, known.fixed_s) != (
        *prepare.linear_.prior_mean,
        *fixed.linear_.prior_mean,
    ):
        prepare.rebase(known.prepare_coefficients)
        fixed.rebase((known.fixed_s,))
    if outcome.server_s is None:
        return
    size, prepare_s = (1.0, megabytes, megapixels), answer.prepare_s
    if prepare_s is None:  # a server that tells the sum alone
        prepare_s = prepare.predict_one(size, outcome.at_s)
    else:
        prepare.learn_one(size, prepare_s, outcome.at_s)
    fixed.learn_one((1.0,), max(outcome.server_s - prepare_s, 0.0), outcome.at_s)


def _prepare(models: Models, variant: VariantInfo) -> RobustSeconds:
    """Seconds over (1, megabytes, decoded megapixels) of the payload. The prior is the server's, if it has one."""

    def make() -> RobustSeconds:
        known: ServerModel | None = variant.server_model
        prior = PRIOR_PREPARE if known is None else known.prepare_coefficients
        return RobustSeconds(prior, (1e-4, 1e-4, 1e-4), typical_s=0.01, chances=CHANCES)

    return models.get(f"prepare/{variant.name}", make)


def _fixed(models: Models, variant: VariantInfo) -> RobustSeconds:
    """Seconds whatever the payload: the graph's run, the queue. The prior is what the server knows of the variant."""

    def make() -> RobustSeconds:
        if variant.server_model is not None:
            fixed_s = variant.server_model.fixed_s
        else:
            fixed_s = variant.server_s.get("run", variant.macs / 1e9 * S_PER_GMAC)
        return RobustSeconds((fixed_s,), 1e-4, typical_s=0.02, chances=CHANCES)

    return models.get(f"fixed/{variant.name}", make)
