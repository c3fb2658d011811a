"""Live runs: devices that are drawn out, turns, steering and scores by hand; and one short run on a real Triton."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from midspan.cli import main
from midspan.deploy.local import LocalServer
from midspan.emulator import LinkEmulator, LinkProfile
from midspan.errors import ConfigError
from midspan.workbench.photos import LabelledPhoto, at_several_sizes, bundled_photos
from midspan.workbench.placement.live import MAX_FAILURES, LivePlan, LiveRequest, LiveRun, in_turns, run_cell
from midspan.workbench.placement.live_clients import POLICIES, LiveCell
from midspan.workbench.placement.live_device import DEVICES, StretchedEngine
from midspan.workbench.placement.live_picture import draw
from midspan.workbench.placement.live_scores import STATIC_MINIMUM, score_run, summarise
from midspan.workbench.placement.live_steering import Steering
from midspan.workbench.placement.policies import PIESLICERS
from midspan_client import Client, MidspanClientError, Photo

QUICK = LinkProfile("quick", up_mbps=40, down_mbps=80, delay_ms=2, jitter_ms=0.5)
CELL = LiveCell("phone", 2.0, QUICK)


class FakeTime:
    """A clock, a work clock, an engine whose every call computes for 10 ms but takes `elapsed_s`, and a sleep."""

    def __init__(self, elapsed_s=0.01):
        self.now_s = self.worked_s = 0.0
        self.elapsed_s = elapsed_s
        self.slept_s = []

    def sleep(self, seconds):
        self.slept_s.append(seconds)
        self.now_s += seconds

    def _work(self, result):
        self.worked_s += 0.01
        self.now_s += self.elapsed_s
        return result

    def decode(self, data, at_least_px):
        return self._work(("decoded", data, at_least_px))

    def resize(self, image, resize_px, side_px):
        return self._work((image, resize_px, side_px))

    def encode(self, image, quality):
        return self._work(b"%d" % quality)

    def stretched(self, factor):
        return StretchedEngine(
            self, factor, clock=lambda: self.now_s, work_clock=lambda: self.worked_s, sleep=self.sleep
        )


@pytest.mark.parametrize("factor", [1, 2.5, *DEVICES.values()])
def test_a_device_takes_factor_times_as_long(factor):
    time = FakeTime()
    engine = time.stretched(factor)
    assert engine.decode(b"data", 7) == ("decoded", b"data", 7)
    assert engine.resize("image", 8, 7) == ("image", 8, 7)
    assert engine.encode("image", 90) == b"90"
    assert time.now_s == pytest.approx(3 * factor * 0.01)


def test_other_work_on_the_machine_is_not_the_devices():
    time = FakeTime(elapsed_s=0.03)  # for 20 ms another thread had the core
    time.stretched(5).encode("image", 90)
    assert time.slept_s == [pytest.approx(0.02)]
    assert time.now_s == pytest.approx(0.05)
    late = FakeTime(elapsed_s=1.0)
    late.stretched(5).encode("image", 90)
    assert late.slept_s == []


@pytest.mark.parametrize("factor", [0.5, 1001, float("nan"), float("inf")])
def test_no_device_is_quicker_than_this_one(factor):
    with pytest.raises(ConfigError, match="factor must be between 1 and 1000"):
        FakeTime().stretched(factor)


def test_everyone_is_first_in_turn():
    turns = [in_turns("abc", number) for number in range(4)]
    assert ["".join(turn) for turn in turns] == ["abc", "bca", "cab", "abc"]


def test_a_policy_is_asked_once_for_a_photo_and_not_while_it_learns():
    class Policy:
        def __init__(self):
            self.asked = []

        def choose(self, photo, at_s):
            self.asked.append((photo.photo_bytes, at_s))
            return "local"

    policy, photo, other = Policy(), Photo(b"12345"), Photo(b"123")
    steering = Steering(policy, lambda: 4.0)
    assert list(steering.open_to(photo)) == list(steering.open_to(photo)) == ["local"]
    assert policy.asked == [(5, 4.0)]
    steering.forced = "remote"
    assert list(steering.open_to(other)) == ["remote"]
    assert policy.asked == [(5, 4.0)]
    assert set(Steering(None, lambda: 4.0).open_to(photo)) == {"local", "remote"}


def request(policy, number, choice, total_s, bytes_up, top_class=7):
    return LiveRequest("phone", "quick", policy, number, "a.jpg", 1000, choice, 0.1, total_s, bytes_up, top_class)


def test_scores_by_hand():
    run = LiveRun(CELL)
    for number, (local_s, remote_s) in enumerate([(0.1, 0.3), (0.2, 0.1), (0.5, 0.6)]):
        run.requests += [
            request("local", number, "local", local_s, 10, top_class=7 if number else 8),
            request("remote", number, "remote", remote_s, 100),
            request("ours", number, "remote" if number < 2 else "local", 0.4, 20),
        ]
    run.requests.append(request("local", 3, "local", 9.0, 10))  # the others failed: it does not count
    least, local, remote, ours = score_run(run)
    assert [score.policy for score in (least, local, remote, ours)] == [STATIC_MINIMUM, "local", "remote", "ours"]
    assert (least.mean_regret_ms, least.f1) == (0, 1)
    assert least.mean_ms == pytest.approx(700 / 3)
    assert local.mean_regret_ms == pytest.approx(100 / 3)
    assert local.answers_equal == pytest.approx(2 / 3)
    assert remote.bandwidth_share == 1
    assert remote.f1 == 0
    assert ours.mean_ms == ours.p50_ms == pytest.approx(400)
    assert ours.mean_regret_ms == pytest.approx(200 / 3), "in the times of the statics, not in its own"
    assert ours.f1 == pytest.approx(2 / 3)
    assert ours.bandwidth_share == pytest.approx(60 / 300)
    assert ours.local_share == pytest.approx(1 / 3)
    assert ours.requests == 3
    assert summarise([least, local, remote, ours]) == [], "PieSlicer is not there"
    assert draw([least, local, remote, ours], "A title").startswith(b"\x89PNG")


def test_nothing_to_score():
    assert score_run(LiveRun(CELL)) == []
    assert score_run(LiveRun(CELL, [request("local", 0, "local", 1, 1), request("remote", 1, "remote", 1, 1)])) == []


@pytest.fixture(scope="module")
def photos():
    return at_several_sizes(bundled_photos()[:4], (160, None, 700, 1600))


def test_a_short_run(triton, photos, tmp_path):
    server = triton.config.server
    steps = []
    plan = LivePlan("triton", server.host, server.http_port, [*photos, *photos], learn=4, seed=1, store_dir=tmp_path)
    run = run_cell(plan, CELL, steps.append)
    assert run.failures == []
    assert steps == ["phone over quick, learning"] * 4 + ["phone over quick"] * 4
    assert [r.policy for r in run.requests[: 2 * len(POLICIES)]] == [*in_turns(POLICIES, 4), *in_turns(POLICIES, 5)]
    with Client(f"http://{server.host}:{server.http_port}") as client:
        plain = {photo.name: client.classify(photo.data).predictions[0].index for photo in photos}
    for one in run.requests:
        assert one.choice == one.policy or one.policy not in ("local", "remote")
        assert one.top_class == plain[one.photo]
    rows = {score.policy: score for score in score_run(run)}
    assert list(rows) == [STATIC_MINIMUM, *POLICIES]
    assert all(row.requests == 4 and row.answers_equal == 1 for row in rows.values())
    assert rows["local"].local_share == 1
    assert rows["remote"].bandwidth_share == 1
    (summary,) = summarise(list(rows.values()))
    static, ours = rows[summary.better_static], rows["ours"]
    assert static.mean_ms == min(rows["local"].mean_ms, rows["remote"].mean_ms)
    assert summary.mean_ratio == ours.mean_ms / static.mean_ms
    assert summary.pieslicer_regret_ms == min(rows[name].mean_regret_ms for name in PIESLICERS)
    assert {path.name for path in tmp_path.glob("*.sqlite")} == {f"phone-quick-{name}.sqlite" for name in POLICIES}


def test_failures_are_counted_and_end_the_cell(triton, photos):
    server = triton.config.server
    cut = [LabelledPhoto("cut.jpg", photos[2].data[:3000], 0)] * 2
    plan = LivePlan("triton", server.host, server.http_port, [photos[1], *cut], learn=0, seed=1)
    run = run_cell(plan, CELL)
    assert run.given_up
    assert len(run.failures) == MAX_FAILURES
    assert all("phone over quick" in failure and "cut.jpg" in failure for failure in run.failures)
    assert len(run.requests) == len(POLICIES)


def test_a_server_that_is_gone(photos):
    with LinkEmulator("127.0.0.1", 1, QUICK) as nobody, pytest.raises(MidspanClientError):
        run_cell(LivePlan("triton", "127.0.0.1", nobody.port, photos, learn=1, seed=1), CELL)


@pytest.fixture
def stopped(monkeypatch):
    """Whether each server that was stopped still ran afterwards."""
    stop, after = LocalServer.stop, []
    monkeypatch.setattr(LocalServer, "stop", lambda server: (stop(server), after.append(server.running)))
    return after


def test_the_command_tells_what_failed(tmp_path, bundle, photos, capsys, stopped):
    for name, data in (("a", photos[1].data), ("b", photos[1].data), ("c", photos[1].data[:3000])):
        (tmp_path / f"{name}.jpg").write_bytes(data)
    command = ["placement", "live", "--images", str(tmp_path), "--bundle", str(bundle), "--devices", "p=1"]
    assert main([*command, "--links", "wifi", "--learn", "0", "--requests", "3", "--json"]) == 1
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert captured.err.count("midspan: failed: p over wifi") == len(printed["failures"]) == MAX_FAILURES
    assert {row["policy"] for row in printed["rows"]} <= {STATIC_MINIMUM, *POLICIES}
    assert stopped
    assert not any(stopped)


def test_a_damaged_photo_is_told(tmp_path, capsys):
    Image.new("RGB", (300, 300)).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:700])
    assert main(["placement", "live", "--images", str(tmp_path)]) == 1
    assert "cannot be scaled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--requests", "0"], "--requests must be between 1 and 2000"),
        (["--learn", "-1"], "--learn must be between 0"),
        (["--devices", "fridge"], "needs a factor for 'fridge'"),
        (["--devices", "../x=2"], "1 to 40 letters"),
        (["--devices", "pixel2=often"], "must be a number"),
        (["--devices", "pixel2=0.1"], "between 1 and 1000"),
        (["--links", "no/such/trace.csv"], "cannot read trace"),
    ],
)
def test_wrong_usage(option, message, capsys):
    assert main(["placement", "live", *option]) == 1
    assert message in capsys.readouterr().err
