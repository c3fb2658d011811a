"""Resizing on the device without second thoughts: for policies that never change, or check for themselves."""

from __future__ import annotations

from collections.abc import Iterable

from midspan_client import Candidate, Catalog, Photo
from midspan_client.providers.encodings import encodings
from midspan_client.providers.resized import ResizedProvider

__all__ = ["UncheckedResizedProvider"]


class UncheckedResizedProvider(ResizedProvider):
    """Offers its route for photos, too, of which the client sees at once that it cannot pay: the small ones."""

    def enumerate(self, photo: Photo, catalog: Catalog) -> Iterable[Candidate]:
        """One candidate for each variant and JPEG quality, wherever the picture can be read."""
        if self._engine is None or not photo.header.simple:
            return []
        return [
            Candidate(self.name, variant, codec=f"jpeg{encoding.quality}", plan={"encoding": encoding})
            for variant in catalog.variants
            for encoding in encodings(variant)
        ]
