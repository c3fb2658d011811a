"""No provider is given up for good."""

from __future__ import annotations

import pytest

from midspan.errors import InvalidValueError
from midspan.routing.objective import Objective
from midspan.routing.route import Route
from midspan_client.answer import ServerAnswer
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.decider import Decider
from midspan_client.learning import Memory
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Outcome
from midspan_client.store import Store
from midspan_client.waiting import MOST, PATIENCE, Waiting

CATALOG = Catalog((VariantInfo("v", side_px=224, resize_px=224),), "v")


class Fixed:
    """Predicts what it is told."""

    def __init__(self, name, device_s, send_s, accuracy=0.8):
        self.name, self.device_s, self.send_s, self.accuracy = name, device_s, send_s, accuracy

    def enumerate(self, photo, catalog):
        return [Candidate(self.name, variant) for variant in catalog.variants]

    def predict(self, candidate, context):
        return Route(self.name, self.name, "v", 1, self.device_s, self.send_s, 0.01, accuracy=self.accuracy)

    def execute(self, route, photo, session):
        raise AssertionError("not here")

    def learn(self, route, outcome):
        pass


def made(*providers, path=None):
    memory = Memory(Store(path, "origin"), "net")
    return Decider(providers, memory), memory


def taken(decider, memory, objective=None, count=1):
    """Names of the routes of so many requests, each of which is answered."""
    names = []
    for at_s in range(count):
        photo = Photo(b"x")
        choice = decider.decide(photo, CATALOG, objective or Objective(), memory.place, float(at_s)).choice
        models = decider.models(choice.route, memory.place)
        outcome = Outcome(photo, ServerAnswer({}), 0.0, 0.1, None, 1, models, float(at_s))
        assert decider.learn(choice.route, outcome, memory.place) == ""
        names.append((choice.route.name, choice.reason))
    return names


def test_what_is_slow_on_the_device_alone_is_tried_again_ever_more_rarely():
    decider, memory = made(Fixed("original", 0.0, 0.2), Fixed("resized", 3.0, 0.05))
    names = taken(decider, memory, count=2500)
    tries = [turn for turn, (name, _) in enumerate(names) if name == "resized"]
    gaps = [later - earlier for earlier, later in zip([-1, *tries], tries, strict=False)]
    assert gaps[:6] == [PATIENCE + 1, 2 * PATIENCE + 1, 4 * PATIENCE + 1, 8 * PATIENCE + 1, 16 * PATIENCE + 1, MOST + 1]
    assert names[PATIENCE] == ("resized", f"tried again: not measured for {PATIENCE} requests")


def test_what_the_network_speaks_against_is_not():
    decider, memory = made(Fixed("original", 0.0, 2.0), Fixed("resized", 0.1, 0.05))
    assert {name for name, _ in taken(decider, memory, count=500)} == {"resized"}


@pytest.mark.parametrize(
    "objective", [Objective("bytes"), Objective("energy"), Objective(sla_s=1.0), Objective(min_accuracy=0.9)]
)
def test_limits_and_other_goals_hold(objective):
    decider, memory = made(Fixed("original", 0.0, 0.2, accuracy=0.95), Fixed("resized", 3.0, 0.05))
    assert {name for name, _ in taken(decider, memory, objective, count=200)} == {"original"}


def test_once_it_is_taken_as_a_rule_patience_is_short_again():
    resized = Fixed("resized", 3.0, 0.05)
    decider, memory = made(Fixed("original", 0.0, 0.2), resized)
    taken(decider, memory, count=8 * PATIENCE)
    resized.device_s = 0.01
    assert [name for name, _ in taken(decider, memory, count=2)] == ["resized"] * 2
    resized.device_s = 3.0
    names = [name for name, _ in taken(decider, memory, count=PATIENCE + 1)]
    assert names == ["original"] * PATIENCE + ["resized"]


def test_asking_alone_counts_for_nothing():
    decider, memory = made(Fixed("original", 0.0, 0.2), Fixed("resized", 3.0, 0.05))
    for _ in range(3 * PATIENCE):
        choice = decider.decide(Photo(b"x"), CATALOG, Objective(), memory.place, 0.0).choice
        assert choice.route.name == "original"


def test_it_outlives_the_process(tmp_path):
    path = tmp_path / "s.sqlite"
    for expected in (["original"] * 20, ["original"] * 10 + ["resized"] + ["original"] * 9):
        memory = Memory(store := Store(path, "origin"), "net")
        decider = Decider((Fixed("original", 0.0, 0.2), Fixed("resized", 3.0, 0.05)), memory)
        assert [name for name, _ in taken(decider, memory, count=20)] == expected
        store.close()


@pytest.mark.parametrize("state", [{}, {"requests": -1, "patience": 30}, {"requests": 1, "patience": 1e9}])
def test_a_damaged_state_is_refused(state):
    with pytest.raises(InvalidValueError):
        Waiting.from_dict(state)
