from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import ExitStack

import pytest

from midspan.errors import ConfigError
from midspan.hoststore import HostStore


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
from midspan.hoststore import HostStore

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
from midspan.hoststore import HostStore

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
