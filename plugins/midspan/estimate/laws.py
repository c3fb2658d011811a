"""What every estimator keeps, as checks that take how to make one. Free of any test framework.

    for law in LAWS:
        law(Subject("mine", MyEstimator, draw=lambda rng: (rng.uniform(0, 1e6),), truth=lambda x: 0.1 + 1e-6 * x[0]))

A law that is broken raises AssertionError, which says how.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from midspan.errors import InvalidValueError
from midspan.estimate.damage import at, damaged, paths

__all__ = ["LAWS", "Subject"]

NOISE: Final = 0.2
SETTLED: Final = 400
"""Measurements after which an estimator has seen enough to be judged."""
PAUSE_S: Final = 1e6
"""What deviates at the moment is forgotten after so long."""
MAX_STATE_BYTES: Final = 16_384
"""The client's store keeps no larger ones."""
TYPES: Final = (None, "x", math.nan, math.inf)
"""None of them is ever part of a state."""
EMPTY: Final[tuple[Any, ...]] = ([], {})
"""Nor these, but where a list that may be empty was."""
NUMBERS: Final = (-1, 1e300, True, [[1]], [1.0] * 99)
"""Some of them may pass, and do no harm then."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An estimator, and data that it can describe.

    Attributes:
        name: of the estimator.
        make: a new one.
        draw: features of one measurement, apart from the time.
        truth: what it measures without noise; it must be able to describe that exactly.
        timing: whether it is told the time: not at all, as the last feature, or as an argument of its own, `at_s`.
        signed: whether the quantity may be negative; else predictions never are, and negative measurements are refused.
        seed: of all draws.

    """

    name: str
    make: Callable[[], Any]
    draw: Callable[[random.Random], Sequence[float]]
    truth: Callable[[Sequence[float]], float]
    timing: Literal["none", "feature", "argument"] = "none"
    signed: bool = False
    seed: int = 1


@dataclass(slots=True)
class _Run:
    """One estimator under test, told of a measurement every ten seconds."""

    subject: Subject
    model: Any
    at_s: float = 0.0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.subject.seed)  # noqa: S311 - draws that can be repeated, no secret

    def draw(self) -> tuple[float, ...]:
        return tuple(self.subject.draw(self.rng))

    def learn(self, x: Sequence[Any], y: Any) -> Any:
        return self._call(self.model.learn_one, x, y)

    def predict(self, x: Sequence[float]) -> float:
        value: float = self._call(self.model.predict_one, x)
        return value

    def sd(self, x: Sequence[float]) -> float:
        value: float = self._call(self.model.sd_one, x)
        return value

    def state(self) -> dict[str, Any]:
        return copy.deepcopy(self.model.to_dict())

    def settle(self, measurements: int = SETTLED, *, noise: float = NOISE, scale: float = 1.0) -> _Run:
        for _ in range(measurements):
            self.at_s += 10.0
            x = self.draw()
            self.learn(x, scale * self.subject.truth(x) * self.rng.lognormvariate(0.0, noise))
        return self

    def _call(self, method: Callable[..., Any], x: Sequence[Any], *rest: Any) -> Any:
        if self.subject.timing == "feature":
            return method((*x, self.at_s), *rest)
        return method(x, *rest, at_s=self.at_s) if self.subject.timing == "argument" else method(x, *rest)


def _run(subject: Subject) -> _Run:
    return _Run(subject, subject.make())


def learning_returns_self(subject: Subject) -> None:
    """So that calls chain."""
    run = _run(subject)
    x = run.draw()
    assert run.learn(x, subject.truth(x)) is run.model


def bad_measurements_change_nothing(subject: Subject) -> None:
    """NaN, infinite, absurd, of another type, too many or too few: InvalidValueError, and all is as before."""
    for learned in (0, 30):
        run = _run(subject).settle(learned)
        x = run.draw()
        y = subject.truth(x)
        bad: list[tuple[Sequence[Any], Any]] = [
            (x, value) for value in (math.nan, math.inf, -math.inf, 1e300, "1", None)
        ]
        bad += [] if subject.signed else [(x, -1e-9)]
        bad += [((*x[:i], value, *x[i + 1 :]), y) for i in range(len(x)) for value in (math.nan, math.inf, 1e300, "1")]
        bad += [((*x, 1.0), y), (x[:-1], y), ((), y)]
        before = run.state()
        expected = run.predict(x)
        for features, target in bad:
            _refused(f"{features}, {target!r}", run.learn, features, target)
            assert run.state() == before, f"{features}, {target!r} was refused, but changed the state"
            assert run.predict(x) == expected, f"{features}, {target!r} was refused, but changed predictions"


def clones_have_learned_nothing(subject: Subject) -> None:
    """They are as new, and neither learns with the other."""
    run = _run(subject).settle(30)
    before, fresh = run.state(), subject.make().to_dict()
    clone = _Run(subject, run.model.clone())
    assert clone.state() == fresh, "a clone differs from a new one"
    clone.settle(30, scale=3.0)
    assert run.state() == before, "a clone's lessons reached the original"
    assert run.model.clone().to_dict() == fresh, "a clone's lessons reached the next clone"


def what_was_saved_goes_on_alike(subject: Subject) -> None:
    """Through JSON, exactly; what deviates just now need not be saved, as clocks differ between processes."""
    run = _run(subject).settle(60)
    again = _Run(subject, type(run.model).from_dict(json.loads(json.dumps(run.model.to_dict()))))
    assert again.state() == run.state()
    again.rng.setstate(run.rng.getstate())
    run.at_s = again.at_s = run.at_s + PAUSE_S
    for turn in range(60):
        x = run.draw()
        assert again.draw() == x
        assert again.predict(x) == run.predict(x), f"predictions differ after {turn} measurements"
        assert again.sd(x) == run.sd(x), f"uncertainties differ after {turn} measurements"
        run.settle(1)
        again.settle(1)
    assert again.state() == run.state()


def damaged_states_are_refused(subject: Subject) -> None:
    """Whatever is lost or of another type raises InvalidValueError; other numbers raise it or do no harm."""
    run = _run(subject).settle(12)
    load = type(run.model).from_dict
    for state in (None, "x", 5, *EMPTY):
        _refused(f"a state of {state!r}", load, state)
    for path in paths(run.state()):
        where = f"a state whose {'.'.join(map(str, path))}"
        if isinstance(path[-1], str):
            _refused(f"{where} is lost", load, damaged(run.state(), path))
        table = isinstance(at(run.state(), path), list | dict)
        for value in TYPES:
            _refused(f"{where} is {value!r}", load, damaged(run.state(), path, value))
        for value in (*NUMBERS, *EMPTY):
            try:
                model = load(damaged(run.state(), path, value))
            except InvalidValueError:
                continue
            assert table or value not in EMPTY, f"{where} is {value!r} was taken"
            _sane(_Run(subject, model).settle(5), f"{where} is {value!r}")


def predictions_are_finite_and_never_negative(subject: Subject) -> None:
    """For all durations from nothing to a day, whatever came before; uncertainties too."""
    run = _run(subject)
    _sane(run, "nothing was learned")
    for turn in range(SETTLED):
        run.at_s += run.rng.choice((-100.0, 0.0, 1.0, 1e5))
        y = run.rng.choice((0.0, 1e-9, 1e-3, 1.0, 86_400.0)) * run.rng.random()
        run.learn(run.draw(), y)
        _sane(run, f"measurement {turn}")


def predicting_changes_nothing(subject: Subject) -> None:
    """Neither what is saved nor the next prediction."""
    run = _run(subject).settle(30)
    before, x = run.state(), run.draw()
    first = run.predict(x), run.sd(x)
    for _ in range(10):
        run.predict(run.draw())
        run.sd(run.draw())
    assert run.state() == before
    assert (run.predict(x), run.sd(x)) == first


def units_are_kept(subject: Subject) -> None:
    """Everything twice as long is predicted twice as long, give or take twice as much."""
    once, twice = _run(subject).settle(), _run(subject).settle(scale=2.0)
    for _ in range(50):
        x = once.draw()
        for what, ratio in (("prediction", twice.predict(x) / once.predict(x)), ("sd", twice.sd(x) / once.sd(x))):
            assert 1.9 < ratio < 2.1, f"of twice as long, the {what} is {ratio:.3f} times as large"


def noiseless_data_are_described(subject: Subject) -> None:
    """Within 1%, by any that can."""
    run = _run(subject).settle(noise=0.0)
    for _ in range(50):
        x = run.draw()
        ratio = run.predict(x) / subject.truth(x)
        assert abs(ratio - 1) < 0.01, f"predicts {ratio:.4f} times what it learned"


def noise_averages_out(subject: Subject) -> None:
    """Learned from durations with 20% noise, the truth is predicted within 15% on average."""
    run = _run(subject).settle()
    photos = [run.draw() for _ in range(200)]
    missed = sum(abs(run.predict(x) / subject.truth(x) - 1) for x in photos) / len(photos)
    assert missed < 0.15, f"predictions are {missed:.3f} off"


def uncertainty_is_honest(subject: Subject) -> None:
    """Of predictions of durations with 20% noise, 85% to 99.5% are off by at most two standard deviations."""
    run, within, scored = _run(subject).settle(), 0, 1_000
    for _ in range(scored):
        x = run.draw()
        y = subject.truth(x) * run.rng.lognormvariate(0.0, NOISE)
        within += abs(run.predict(x) - y) <= 2 * run.sd(x)
        run.at_s += 10.0
        run.learn(x, y)
    assert 0.85 <= within / scored <= 0.995, f"{within / scored:.3f} lie within two standard deviations"


def the_same_lessons_make_the_same_model(subject: Subject) -> None:
    """No clock, no chance of their own."""
    assert _run(subject).settle(60).state() == _run(subject).settle(60).state()


def states_stay_small(subject: Subject) -> None:
    """However much was learned."""
    size = len(json.dumps(_run(subject).settle(1_000).state()))
    assert size <= MAX_STATE_BYTES, f"a state has {size} bytes; at most {MAX_STATE_BYTES} are allowed"


LAWS: Final[tuple[Callable[[Subject], None], ...]] = (
    learning_returns_self,
    bad_measurements_change_nothing,
    clones_have_learned_nothing,
    what_was_saved_goes_on_alike,
    damaged_states_are_refused,
    predictions_are_finite_and_never_negative,
    predicting_changes_nothing,
    units_are_kept,
    noiseless_data_are_described,
    noise_averages_out,
    uncertainty_is_honest,
    the_same_lessons_make_the_same_model,
    states_stay_small,
)


def _sane(run: _Run, when: str) -> None:
    x = run.draw()
    value, sd = run.predict(x), run.sd(x)
    assert math.isfinite(value), f"after {when}, {value} is predicted"
    assert run.subject.signed or value >= 0, f"after {when}, {value} is predicted"
    assert 0 <= sd < math.inf, f"after {when}, the standard deviation is {sd}"


def _refused(what: str, call: Callable[..., object], *arguments: Any) -> None:
    try:
        call(*arguments)
    except InvalidValueError:
        return
    except Exception as error:
        raise AssertionError(f"{what} raised {type(error).__name__}, not InvalidValueError: {error}") from error
    raise AssertionError(f"{what} was taken")
