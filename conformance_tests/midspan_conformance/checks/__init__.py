"""All checks, by profile: what a kind of server must keep. One module a subject."""

from __future__ import annotations

from collections.abc import Mapping

from midspan_conformance.check import Check
from midspan_conformance.checks import catalog, classify, clients, errors, health, metadata, parameters

__all__ = ["PROFILES"]

PROFILES: Mapping[str, tuple[Check, ...]] = {
    "core": (
        *health.CHECKS,
        *metadata.CHECKS,
        *catalog.CHECKS,
        *classify.CHECKS,
        *parameters.CHECKS,
        *errors.CHECKS,
        *clients.CHECKS,
    ),
}
"""`core` is what every server with Midspan's plug-ins keeps, whichever of them are enabled."""
