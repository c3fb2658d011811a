"""Keeps the published models of this host's time fresh, beside the requests and never in their way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from midspan.errors import ConfigError
from midspan.hoststore import HostStore
from midspan.servermodel.fit import server_model
from midspan.types import Record

__all__ = ["Trainer", "name_of"]

log = logging.getLogger("midspan")

Fit: TypeAlias = Callable[[Sequence[Sequence[float]]], Mapping[str, Any]]

CLAIM = "train server models"
CLAIM_S = 60.0
"""Training stays with one worker, so that only one pays for importing scikit-learn; a dead one is missed so long."""
EVERY_S = 1.0
"""How often a worker that has work looks for new models and for samples to learn from."""
FIRST_SAMPLES = 16
NEW_SAMPLES = 64
"""Train at 16, 32 and 64 samples, then with every 64 more."""
SPACING_S = 10.0
"""Least time between two trainings of one variant: 20 ms of work each, however busy the host."""


def name_of(variant: str) -> str:
    """The name of a variant's samples and of its published model in the host's store."""
    return f"{variant}.server_model"


class Trainer:
    """Gathers samples for the models of `variants` and knows the newest ones; close it.

    `sample` and `report` belong to the thread that uses `store`; a thread of its own, with a connection of its own,
    reads and trains while there is work. `fit` makes a model of samples and may raise ValueError or ImportError.
    """

    def __init__(
        self,
        store: HostStore,
        variants: Sequence[str],
        *,
        every_s: float = EVERY_S,
        fit: Fit = server_model,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._names = {name_of(variant): variant for variant in variants}
        self._every_s = every_s
        self._fit: Fit | None = fit
        self._clock = clock
        self._trained: dict[str, tuple[int, float]] = {}
        self._reports: Mapping[str, Mapping[str, Any]] = {}
        self._read(store)
        self._work = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="midspan-server-models", daemon=True)
        self._thread.start()

    def sample(self, record: Record, megapixels: float) -> None:
        """Keep what one answered request has cost; `megapixels` came out of the decoder.

        In a batch, too, the stages decode and prepare are its own; the rest is what it waited for, mates included.
        """
        stages_s = record.stages_s
        prepare_s = stages_s["decode"] + stages_s["prepare"]
        fixed_s = max(0.0, record.server_s - stages_s["queue"] - prepare_s)
        self._store.sample(name_of(record.variant), (len(record.request.payload) / 1e6, megapixels, prepare_s, fixed_s))
        if not self._work.is_set():  # setting it takes a lock and wakes a thread
            self._work.set()

    def report(self, variant: str) -> Mapping[str, Any]:
        """`{"server_model": …}` with the newest model, as far as this worker knows; {} while there is none."""
        return self._reports.get(variant, {})

    def close(self) -> None:
        """End the thread, a training under way included; a second call does nothing."""
        self._closed.set()
        self._work.set()
        self._thread.join()

    def look(self, store: HostStore) -> None:
        """Train what is due, if training is this worker's job, and take up what is new."""
        sampled = store.sampled()
        due = [name for name in self._names if self._is_due(name, sampled.get(name, 0))]
        if self._fit is not None and due and store.claim(CLAIM, CLAIM_S):
            try:
                for name in due:
                    self._train(store, name, sampled[name], self._fit)
            except ImportError as error:
                self._fit = None
                log.warning("devices get no models of this server's time: %s; install midspan[server]", error)
        self._read(store)

    def _is_due(self, name: str, sampled: int) -> bool:
        before, at = self._trained.get(name, (0, self._clock() - SPACING_S))
        wanted = min(max(FIRST_SAMPLES, before), NEW_SAMPLES)
        return sampled - before >= wanted and self._clock() - at >= SPACING_S

    def _train(self, store: HostStore, name: str, sampled: int, fit: Fit) -> None:
        try:
            published = store.publish(name, fit(store.samples(name)))
        except ValueError as error:  # the last model stays, and the next samples get their chance
            log.info("no model of the time of %s this time: %s", self._names[name], error)
            published = True
        if published:  # else the disk is busy, and it stays due
            self._trained[name] = sampled, self._clock()

    def _read(self, store: HostStore) -> None:
        published = store.published()
        found = {self._names[name]: {"server_model": model} for name, model in published.items() if name in self._names}
        self._reports = found

    def _follow(self) -> None:
        store: HostStore | None = None
        try:
            while True:
                self._work.wait()
                if self._closed.wait(self._every_s):
                    return
                self._work.clear()
                store = store or HostStore(self._store.path)
                self.look(store)
        except ConfigError as error:
            log.warning("devices get no new models of this server's time: %s", error)
        except Exception:
            log.exception("devices get no new models of this server's time")
        finally:
            if store is not None:
                store.close()
