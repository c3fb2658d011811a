"""Notices dead workers by real inferences, and brings them back.

A Triton never restarts a Python worker that died, while its health stays 200: with two workers every second request
fails for ever. TorchServe restarts its workers itself. Either can be gone altogether.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midspan.deploy.ready import Finding, Health

__all__ = ["Cure", "Watchdog"]

LONGEST_PAUSE_S = 30.0
MAX_PROBES = 16


@dataclass(frozen=True, slots=True)
class Cure:
    """One way to bring a server back; `apply` may raise any exception. Some revive even a server that is gone."""

    name: str
    apply: Callable[[], None]
    revives: bool = False


class Watchdog:
    """Looks every `every_s` seconds; what it finds wrong it cures, the mildest cure first.

    Each look sends one inference for every worker, one after the other: hosts hand work round, so that a lone dead
    worker among many is met within one or two looks. `signs` are cheaper and asked first: each returns a reason for
    concern since it was last asked, or "". A server that answers wrongly is cured at once if `self_healing`
    is false; one that heals itself, or stays silent, gets `patience_s` first. After each cure the next one waits twice
    as long, up to half a minute, so that what no cure helps is not restarted without end. Overload (503) is no fault.
    """

    def __init__(
        self,
        probe: Callable[[], Finding],
        cures: Sequence[Cure],
        *,
        workers: int,
        signs: Sequence[Callable[[], str]] = (),
        self_healing: bool = False,
        every_s: float = 0.5,
        patience_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.every_s = every_s
        self._probe = probe
        self._cures = tuple(cures)
        self._signs = tuple(signs)
        self._probes = min(workers, MAX_PROBES)
        self._self_healing = self_healing
        self._patience_s = patience_s
        self._clock = clock
        self._report = report
        self._ill_since: float | None = None
        self._attempts = 0
        self._next_cure_at = 0.0

    def watch(self, wait: Callable[[float], bool]) -> None:
        """Look until `wait(seconds)` returns true; the `wait` of a `threading.Event` is one."""
        while not wait(self.every_s):
            self.look()

    def look(self) -> Finding:
        """Look once, and cure if need be. Returns what was found before the cure; raises nothing but bugs."""
        finding = self._worst()
        now = self._clock()
        if finding.health in (Health.RIGHT, Health.BUSY):
            if self._ill_since is not None:
                self._report(f"the server is right again after {now - self._ill_since:.1f} s")
            self._ill_since, self._attempts, self._next_cure_at = None, 0, 0.0
            return finding
        if self._ill_since is None:
            self._ill_since = now
            self._report(f"the server is {finding.health.value}: {finding.text}")
        cure = self._choose(finding.health, now)
        if cure is not None:
            self._apply(cure)
        return finding

    def _worst(self) -> Finding:
        finding = Finding(Health.RIGHT)
        for sign in self._signs:
            if reason := sign():
                return Finding(Health.FAILED, reason)
        for _ in range(self._probes):
            finding = self._probe()
            if finding.health is not Health.RIGHT:
                break
        return finding

    def _choose(self, health: Health, now: float) -> Cure | None:
        assert self._ill_since is not None
        if now < self._next_cure_at:
            return None
        cures = [cure for cure in self._cures if cure.revives] if health is Health.GONE else self._cures
        waits = health is Health.SILENT or (self._self_healing and health is not Health.GONE)
        if not cures or (waits and now - self._ill_since < self._patience_s):
            return None
        return cures[min(self._attempts, len(cures) - 1)]

    def _apply(self, cure: Cure) -> None:
        self._attempts += 1
        self._report(f"trying to {cure.name}")
        try:
            cure.apply()
        except Exception as error:  # whatever went wrong: without the watchdog the server is lost
            self._report(f"could not {cure.name}: {error}")
        for sign in self._signs:  # what happened before the cure is no sign of what comes after it
            sign()
        self._next_cure_at = self._clock() + min(2.0 ** (self._attempts - 1), LONGEST_PAUSE_S)
