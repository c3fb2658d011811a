"""Keeps the server's catalog at hand: fetched when first needed, fetched again when old or doubted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from midspan_client.catalog import Catalog, parse_catalog
from midspan_client.errors import MidspanClientError

__all__ = ["CatalogKeeper"]

FRESH_S = 300.0
PATIENCE_S = 5.0
"""Seconds between attempts while the catalog cannot be fetched, so that no request pays for it twice."""
_logger = logging.getLogger("midspan_client")


class CatalogKeeper:
    """Thread-safe. `fetch` asks the server once, without retries, and raises a MidspanClientError."""

    def __init__(self, fetch: Callable[[], Mapping[str, Any]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._only: dict[tuple[str, int | None], tuple[Catalog, Catalog]] = {}
        self._due_at = float("-inf")
        self._problem: MidspanClientError | None = None

    def current(self) -> Catalog:
        """The catalog, a few minutes old at most unless it cannot be fetched again. Raises a MidspanClientError."""
        catalog = self._catalog
        if catalog is None or self._is_due():
            # One thread fetches; while there is an old one, the others go on with it.
            if self._lock.acquire(blocking=catalog is None):
                try:
                    self._refresh()
                finally:
                    self._lock.release()
            catalog = self._catalog
        if catalog is None:
            assert self._problem is not None
            raise self._problem
        return catalog

    def only(self, catalog: Catalog, variant: str, quality: int | None = None) -> Catalog | None:
        """`catalog.only(variant, quality)`, remembered until the next one is fetched."""
        # Each entry tells of which catalog it is a part, as another thread may fetch a new one at any time.
        whole, part = self._only.get((variant, quality), (None, None))
        if whole is not catalog:
            part = catalog.only(variant, quality)
            if part is not None:
                self._only[variant, quality] = catalog, part
        return part

    def doubt(self) -> None:
        """Fetch again at the next request: an answer hinted that it changed."""
        self._due_at = float("-inf")

    def _is_due(self) -> bool:
        # Nothing is ever put off for longer than FRESH_S, unless the clock was set back.
        return not 0 < self._due_at - self._clock() <= FRESH_S

    def _refresh(self) -> None:
        if not self._is_due():  # another thread was quicker
            return
        try:
            self._catalog = parse_catalog(self._fetch())
            self._only = {}
            self._due_at = self._clock() + FRESH_S
        except MidspanClientError as error:
            _logger.warning("the catalog cannot be fetched: %s", error)
            self._problem = error
            self._due_at = self._clock() + PATIENCE_S
