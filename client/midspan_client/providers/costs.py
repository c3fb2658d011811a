"""What the two built-in routes share: models of the server's time."""

from __future__ import annotations

from midspan.estimate.robust import RobustSeconds
from midspan_client.catalog import VariantInfo
from midspan_client.provider import Models

__all__ = ["server_model"]

S_PER_GMAC = 0.01
S_PER_MEGAPIXEL = 0.001
"""Both on the low side, so that a route is tried before it is judged."""


def server_model(models: Models, variant: VariantInfo) -> RobustSeconds:
    """Seconds on the server over (1, megapixels of the payload), for one route of one variant.

    The prior is what the server's catalog has learned of the variant from all its callers. Decoding is left out of it:
    that mean mixes large photos and small, and the megapixels learn it better.
    """

    def make() -> RobustSeconds:
        known = variant.server_s
        fixed_s = known["run"] if "run" in known else variant.macs / 1e9 * S_PER_GMAC
        return RobustSeconds((fixed_s, S_PER_MEGAPIXEL), (0.01, 0.01), typical_s=0.02)

    return models.get(f"server/{variant.name}", make)
