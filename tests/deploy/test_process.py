"""A server's process ends with all its children, however they behave."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from midspan.deploy.process import SHARED_MEMORY, ServerProcess, session_members

CHILD = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
WITH_CHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print("ready", flush=True)
time.sleep(600)
"""


def start(code: str, tmp_path: Path, prefix: str = "") -> ServerProcess:
    process = ServerProcess(
        [sys.executable, "-c", code],
        env=os.environ,
        directory=tmp_path,
        log=tmp_path / "log",
        shared_memory_prefix=prefix,
    )
    while process.running and "ready" not in (tmp_path / "log").read_text():
        pass
    return process


def test_children_end_with_their_server(tmp_path):
    process = start(WITH_CHILD, tmp_path)
    (child,) = process.workers()
    process.stop()
    assert not process.running
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert session_members(process.pid) == []


def test_a_server_that_will_not_end_is_killed_after_its_grace(tmp_path):
    process = start(STUBBORN, tmp_path)
    process.stop(grace_s=0.1)
    assert not process.running


def test_children_of_a_server_that_was_killed_are_found(tmp_path):
    process = start(WITH_CHILD, tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    while process.running:
        pass
    assert len(process.workers()) == 1
    process.stop()
    assert process.workers() == []


def test_it_stops_twice_and_cleans_its_shared_memory_alone(tmp_path):
    prefix = f"midspan_test_{os.getpid()}_"
    own, other = SHARED_MEMORY / f"{prefix}a", SHARED_MEMORY / f"other_{prefix}"
    own.touch()
    other.touch()
    try:
        process = start(WITH_CHILD, tmp_path, prefix)
        process.stop()
        process.stop()
        assert not own.exists()
        assert other.exists()
    finally:
        other.unlink()


def test_output_goes_to_the_log_and_is_appended(tmp_path):
    (tmp_path / "log").write_text("before\n")
    process = start("import sys; print('out ready'); print('err', file=sys.stderr)", tmp_path)
    process.stop()
    assert (tmp_path / "log").read_text().splitlines()[0] == "before"
    assert {"out ready", "err"} < set((tmp_path / "log").read_text().splitlines())


def test_a_command_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        ServerProcess(["/nonexistent"], env={}, directory=tmp_path, log=tmp_path / "log")
