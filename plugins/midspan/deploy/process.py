"""A server's process with all its children, from the start to a clean and whole end. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["SHARED_MEMORY", "ServerProcess", "session_members"]

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where Triton's Python backend puts its regions
POLL_S = 0.02


class ServerProcess:
    """A command in a session of its own, so that no terminal's Ctrl-C reaches it and all its children can be found.

    Its output goes straight to `log`: no pipe that can fill, and nothing is lost when we die. `shared_memory_prefix`
    names what it may leave in /dev/shm.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        directory: Path,
        log: Path,
        shared_memory_prefix: str = "",
    ) -> None:
        self.log = log
        self._shared_memory_prefix = shared_memory_prefix
        self._ended = False
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The main process; also the id of its session."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the main process lives."""
        return self._popen.poll() is None

    def workers(self) -> list[int]:
        """The live processes of the session other than the main one."""
        return [] if self._ended else [pid for pid in session_members(self.pid) if pid != self.pid]

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask the main process to end, then kill what is left of the session. A second call does nothing.

        Only the main process is asked: it lets its workers finish, and a worker that were asked too would look dead.
        """
        if self.running:
            self._popen.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_s)
        finally:  # a second Ctrl-C cuts the grace short and leaves nothing behind
            self.kill()

    def kill(self) -> None:
        """End the whole session at once."""
        if self._ended:  # by now the session's number may be somebody else's
            return
        while members := session_members(self.pid):
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._popen.poll()
            time.sleep(POLL_S)
        self._popen.wait()
        self._ended = True
        if self._shared_memory_prefix:
            for leftover in SHARED_MEMORY.glob(f"{self._shared_memory_prefix}*"):
                leftover.unlink(missing_ok=True)


def session_members(session: int) -> list[int]:
    """The live processes of a session, in ascending order; zombies are dead."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # pid (name, which may hold anything) state ppid pgrp session …
                state, _, _, owner = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
                if int(owner) == session and state not in "ZX":
                    members.append(int(entry.name))
    return sorted(members)
