"""The watchdog's decisions, with a clock and a server that the test plays."""

from __future__ import annotations

import itertools

import pytest

from midspan.deploy.ready import Finding, Health
from midspan.deploy.watchdog import LONGEST_PAUSE_S, Cure, Watchdog
from midspan.errors import UnavailableError


class Patient:
    """Answers probes from a list, over and over; notes the cures that it gets, and when."""

    def __init__(self, *health: Health) -> None:
        self.health = list(health)
        self.probes = 0
        self.now = 0.0
        self.cures: list[tuple[float, str]] = []
        self.said: list[str] = []
        self.sign = ""

    def probe(self) -> Finding:
        self.probes += 1
        return Finding(self.health[(self.probes - 1) % len(self.health)], "as the test says")

    def dog(self, *, workers: int = 1, self_healing: bool = False, revive: bool = True) -> Watchdog:
        cures = [Cure("reload", lambda: self.cures.append((self.now, "reload")))]
        if revive:
            cures.append(Cure("restart", lambda: self.cures.append((self.now, "restart")), revives=True))
        return Watchdog(
            self.probe,
            cures,
            signs=[lambda: self.sign],
            workers=workers,
            self_healing=self_healing,
            clock=lambda: self.now,
            report=self.said.append,
        )

    def look_for(self, dog: Watchdog, seconds: float) -> None:
        for _ in range(int(seconds / dog.every_s)):
            dog.look()
            self.now += dog.every_s


def test_health_needs_no_cure():
    patient = Patient(Health.RIGHT)
    patient.look_for(patient.dog(), 100)
    assert (patient.cures, patient.said) == ([], [])


def test_overload_is_no_illness():
    patient = Patient(Health.BUSY)
    patient.look_for(patient.dog(), 100)
    assert patient.cures == []


@pytest.mark.parametrize("health", [Health.FAILED, Health.WRONG])
def test_what_answers_wrongly_is_cured_at_the_first_look(health):
    patient = Patient(health)
    assert patient.dog().look().health is health
    assert patient.cures == [(0.0, "reload")]


@pytest.mark.parametrize("workers", [2, 3, 8, 16])
def test_one_dead_worker_among_many_is_met_at_the_first_look(workers):
    patient = Patient(*[Health.RIGHT] * (workers - 1), Health.FAILED)
    patient.dog(workers=workers).look()
    assert patient.cures == [(0.0, "reload")]


def test_a_sign_is_enough_and_saves_the_probe():
    patient = Patient(Health.RIGHT)
    patient.sign = "1 of 2 workers are alive"
    assert patient.dog().look() == Finding(Health.FAILED, patient.sign)
    assert patient.cures == [(0.0, "reload")]
    assert patient.probes == 0


def test_what_is_gone_is_revived_and_never_reloaded():
    patient = Patient(Health.GONE)
    patient.dog().look()
    assert patient.cures == [(0.0, "restart")]


def test_a_watchdog_that_cannot_revive_says_so_and_goes_on():
    patient = Patient(Health.GONE)
    patient.look_for(patient.dog(revive=False), 100)
    assert patient.cures == []
    assert patient.said == ["the server is gone: as the test says"]


@pytest.mark.parametrize(("health", "self_healing"), [(Health.SILENT, False), (Health.FAILED, True)])
def test_patience_with_what_may_come_back_by_itself(health, self_healing):
    patient = Patient(health)
    dog = patient.dog(self_healing=self_healing)
    patient.look_for(dog, 10)
    assert patient.cures == []
    patient.look_for(dog, 1)
    assert patient.cures == [(10.0, "reload")]


def test_stronger_cures_follow_at_growing_distances():
    patient = Patient(Health.FAILED)
    patient.look_for(patient.dog(), 200)
    times = [at for at, _ in patient.cures]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [name for _, name in patient.cures[:3]] == ["reload", "restart", "restart"]
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert set(gaps[5:]) == {LONGEST_PAUSE_S}


def test_recovery_is_told_and_starts_the_count_anew():
    patient = Patient(Health.FAILED)
    dog = patient.dog()
    dog.look()
    patient.health, patient.now = [Health.RIGHT], 1.5
    dog.look()
    assert patient.said[-1] == "the server is right again after 1.5 s"
    patient.health = [Health.FAILED]
    dog.look()
    assert patient.cures == [(0.0, "reload"), (1.5, "reload")]


@pytest.mark.parametrize("error", [UnavailableError("no such luck"), OSError("no such luck")])
def test_a_cure_that_fails_is_told_and_the_next_one_tried(error):
    patient = Patient(Health.FAILED)

    def fail() -> None:
        raise error

    restart = Cure("restart", lambda: patient.cures.append((patient.now, "restart")))
    dog = Watchdog(
        patient.probe, [Cure("reload", fail), restart], workers=1, clock=lambda: patient.now, report=patient.said.append
    )
    patient.look_for(dog, 2)
    assert "could not reload: no such luck" in patient.said
    assert patient.cures == [(1.0, "restart")]


def test_what_failed_before_a_cure_is_no_sign_after_it():
    count = [0]

    def new_failures() -> str:
        count[0], before = 0, count[0]
        return f"{before} failed" if before else ""

    patient, applied = Patient(Health.RIGHT), []

    def reload() -> None:
        applied.append(count[0])
        count[0] = 5  # requests that were under way fail while the cure works

    count[0] = 1
    dog = Watchdog(patient.probe, [Cure("reload", reload)], signs=[new_failures], workers=1, clock=lambda: patient.now)
    patient.look_for(dog, 10)
    assert applied == [0]


def test_watch_ends_when_it_is_told():
    patient = Patient(Health.RIGHT)
    waits = iter([False, False, True])
    patient.dog().watch(lambda seconds: next(waits))
    assert patient.probes == 2
