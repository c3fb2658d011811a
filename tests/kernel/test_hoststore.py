from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import ExitStack

import pytest

from midspan.errors import ConfigError
from midspan.hoststore import MAX_NAMES, MAX_SAMPLES, HostStore


def test_counts_add_up_and_means_follow(host_store):
    for value in (1.0, 2.0, 3.0):
        host_store.add("answers")
        host_store.observe("run_s", value)
    assert host_store.counts() == {"answers": 3}
    assert host_store.means()["run_s"] == pytest.approx(2.0)
    for _ in range(300):
        host_store.observe("run_s", 10.0)
    assert host_store.means("run")["run_s"] == pytest.approx(10.0, rel=0.02)
    assert host_store.means("other") == {}


WORK = """
import sys
from pathlib import Path
from midspan.hoststore import MAX_NAMES, MAX_SAMPLES, HostStore

store = HostStore(Path(sys.argv[1]), flush_s=0)
for _ in range(50):
    store.add("answers")
    store.observe("run_s", 4.0)
store.close()
"""


def test_processes_share_one_store(tmp_path):
    command = [sys.executable, "-c", WORK, str(tmp_path / "s.sqlite")]
    workers = [subprocess.Popen(command) for _ in range(6)]
    assert [worker.wait() for worker in workers] == [0] * 6
    store = HostStore(tmp_path / "s.sqlite")
    assert store.counts() == {"answers": 300}
    assert store.means() == {"run_s": pytest.approx(4.0)}
    store.close()


OPEN = """
import sys
from pathlib import Path
from midspan.hoststore import MAX_NAMES, MAX_SAMPLES, HostStore

print(flush=True)
for line in sys.stdin:
    HostStore(Path(line.strip())).close()
    print(flush=True)
"""


def test_workers_that_start_together_all_open_a_new_store(tmp_path):
    with ExitStack() as stack:
        workers = []
        for _ in range(3):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
            workers.append(stack.enter_context(subprocess.Popen([sys.executable, "-c", OPEN], **pipes)))
            stack.callback(workers[-1].kill)
        for number in range(30):
            assert [worker.stdout.readline() for worker in workers] == ["\n"] * 3
            for worker in workers:
                worker.stdin.write(f"{tmp_path / str(number)}.sqlite\n")
        assert [worker.stdout.readline() for worker in workers] == ["\n"] * 3


def test_what_was_gathered_waits_for_the_flush_and_survives_a_locked_file(tmp_path):
    now = [0.0]
    path = tmp_path / "s.sqlite"
    store = HostStore(path, flush_s=1.0, clock=lambda: now[0])
    other = sqlite3.connect(path, isolation_level=None)
    store.add("answers")
    assert other.execute("SELECT count(*) FROM counts").fetchone() == (0,)
    now[0] = 1.0
    store.add("answers")
    assert other.execute("SELECT value FROM counts").fetchone() == (2,)
    assert store._db is not None
    store._db.execute("PRAGMA busy_timeout=0")
    other.execute("BEGIN IMMEDIATE")
    now[0] = 2.5
    store.add("answers")
    other.execute("ROLLBACK")
    other.close()
    assert store.counts() == {"answers": 3}
    store.close()
    store.close()
    assert store.counts() == {}


def test_a_file_that_is_no_store_stops_the_load(tmp_path):
    (tmp_path / "s.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match=r"cannot use the host's store .*s\.sqlite"):
        HostStore(tmp_path / "s.sqlite")


SAMPLE = """
import sys
from pathlib import Path
from midspan.hoststore import MAX_NAMES, MAX_SAMPLES, HostStore

store = HostStore(Path(sys.argv[1]), flush_s=0)
print(store.claim("job", 60.0), flush=True)
for number in range(200):
    store.sample("photo", (float(sys.argv[2]), number))
    store.publish("model", {"from": sys.argv[2]}) if number % 50 == 0 else None
store.close()
"""


def test_processes_share_samples_of_which_the_newest_stay_and_one_holds_a_job(tmp_path):
    path = tmp_path / "s.sqlite"
    store = HostStore(path, wall_clock=lambda: 1000.0)
    store.publish("model", {"from": "nobody"})
    workers = [
        subprocess.Popen([sys.executable, "-c", SAMPLE, str(path), str(one)], stdout=subprocess.PIPE, text=True)
        for one in range(4)
    ]
    assert sorted(worker.communicate()[0] for worker in workers) == ["False\n"] * 3 + ["True\n"]
    assert store.sampled() == {"photo": 800}
    samples = store.samples("photo")
    assert len(samples) == len(set(samples)) == MAX_SAMPLES
    assert {number for _, number in samples} >= set(range(72, 200)), "of one worker alone, the last 128 must be there"
    model = store.published()["model"]
    assert model["version"] >= 1016, "four workers published four times each"
    assert model["from"] in {"0", "1", "2", "3"}
    store.close()


def test_samples_wait_for_the_flush_and_only_so_many(tmp_path):
    now = [0.0]
    store = HostStore(tmp_path / "s.sqlite", flush_s=1.0, clock=lambda: now[0])
    for number in range(3 * MAX_SAMPLES):
        store.sample("a", (number,))
    other = HostStore(tmp_path / "s.sqlite")
    assert other.samples("a") == []
    now[0] = 1.0
    store.sample("b", (1.0, 2.0))
    assert sorted(other.samples("a")) == [(float(number),) for number in range(2 * MAX_SAMPLES, 3 * MAX_SAMPLES)]
    assert other.samples("b") == [(1.0, 2.0)]
    other.close()
    store.close()
    assert store.samples("a") == []
    assert not store.publish("a", {})
    assert not store.claim("a", 1.0)


def test_the_number_of_names_is_bounded(tmp_path):
    now = [0.0]
    store = HostStore(tmp_path / "s.sqlite", flush_s=0, wall_clock=lambda: now[0])
    for number in range(MAX_NAMES + 10):
        now[0] += 1
        store.sample(f"n{number}", (1.0,))
        store.publish(f"n{number}", {})
    newest = {f"n{number}" for number in range(10, MAX_NAMES + 10)}
    assert set(store.sampled()) == set(store.published()) == newest
    assert store.samples("n9") == []
    assert store.samples("n10") == [(1.0,)]
    store.close()


def test_versions_grow_over_restarts_a_lost_file_and_a_clock_set_back(tmp_path):
    now, seen = [5000.0], []
    for number, clock in enumerate((5000.0, 5000.0, 4000.0, 6000.0, 6001.0)):
        now[0] = clock
        store = HostStore(tmp_path / f"{number // 4}.sqlite", wall_clock=lambda: now[0])
        assert store.publish("model", {"prepare_s": [number]})
        assert store.published()["model"]["prepare_s"] == [number]
        seen.append(store.published()["model"]["version"])
        store.close()
    assert seen == [5000, 5001, 5002, 6000, 6001]


def test_a_claim_is_kept_by_asking_and_lost_by_silence(tmp_path):
    now = [100.0]
    one, two = (HostStore(tmp_path / "s.sqlite", wall_clock=lambda: now[0]) for _ in range(2))
    assert one.claim("job", 10.0)
    assert two.claim("another", 10.0)
    for _ in range(3):
        now[0] += 9
        assert one.claim("job", 10.0)
        assert not two.claim("job", 10.0)
    now[0] += 10
    assert two.claim("job", 10.0)
    assert not one.claim("job", 10.0)
    now[0] -= 50
    assert one.claim("job", 10.0), "a claim from the future is a clock that was set back"
    one.close()
    two.close()


def test_what_is_no_number_is_refused_at_once(host_store):
    with pytest.raises(ValueError, match="could not convert"):
        host_store.sample("a", ("x",))
    host_store.sample("a", (1,))
    assert host_store.samples("a") == [(1.0,)]
