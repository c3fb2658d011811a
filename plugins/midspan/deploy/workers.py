"""The Python workers of a running Triton: what shows that one is dead, and how to bring it back.

Triton itself does neither. It answers for a dead worker with status 500, a second after each request, for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from midspan import wire
from midspan.deploy.http import Send, send
from midspan.deploy.triton import ADMIN_HEADER, admin_key, model_file
from midspan.errors import ConfigError, UnavailableError

__all__ = ["TritonWorkers"]

STUB = b"triton_python_backend_stub"
RELOAD_TIMEOUT_S = 60.0
STATISTICS_TIMEOUT_S = 2.0
RETIRE_AFTER_S = 10.0
"""How long a worker that was replaced may still work off what it had been given."""


class TritonWorkers:
    """Looks after the workers of the model in `repository`, which the Triton at `url` serves.

    They are found in /proc by the file that they run; where they run in a container, under another path, they are not
    found, and Triton's own count of failures must do.
    """

    def __init__(
        self,
        url: str,
        repository: Path,
        workers: int,
        *,
        transport: Send = send,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._repository = repository
        self._workers = workers
        self._send = transport
        self._clock = clock
        self._failed: int | None = None
        self._found_before = False
        self._retiring: set[int] = set()
        self._retire_at = 0.0

    def inspect(self) -> str:
        """What is amiss since the last call, or "". Also ends replaced workers whose time is over."""
        self._retire()
        alive = len(set(self.find()) - self._retiring)
        self._found_before = self._found_before or alive > 0
        rose = self._new_failures()
        if self._found_before and alive < self._workers:
            return f"{alive} of {self._workers} workers are alive"
        return f"{rose} requests failed in their worker" if rose > 0 else ""

    def reload(self) -> None:
        """Have Triton load the model afresh, with new workers; the old ones answer until then. Raises MidspanError.

        Triton loads only what has changed, hence the new time stamp.
        """
        before = set(self.find())
        try:
            os.utime(model_file(self._repository))
            headers = {ADMIN_HEADER: admin_key(self._repository)}
        except OSError as error:
            raise ConfigError(f"{self._repository} is not a repository of ours: {error}") from error
        target = f"{self._url}/v2/repository/models/{wire.MODEL_NAME}/load"
        try:
            status, body = self._send("POST", target, b"{}", headers, RELOAD_TIMEOUT_S)
        except OSError as error:
            raise UnavailableError(f"Triton did not load the model: {error}") from error
        if status != 200:
            raise UnavailableError(f"Triton did not load the model: status {status}, {body[:1000]!r}")
        self._retiring = before
        self._retire_at = self._clock() + RETIRE_AFTER_S

    def find(self) -> list[int]:
        """The process ids of the workers on this machine."""
        wanted = os.path.realpath(model_file(self._repository))
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _runs(entry, wanted)]

    def _retire(self) -> None:
        # a model with a dead worker is never unloaded wholly, so its other workers would stay for ever
        if self._retiring and self._clock() >= self._retire_at:
            for pid in self._retiring & set(self.find()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._retiring = set()

    def _new_failures(self) -> int:
        """How many more requests died with their worker, by Triton's own count.

        Refusals by the pipeline or the queue are not in it. A lone probe may never meet a dead worker that is always
        busy failing somebody else's request.
        """
        url = f"{self._url}/v2/models/{wire.MODEL_NAME}/stats"
        try:
            status, body = self._send("GET", url, None, {}, STATISTICS_TIMEOUT_S)
            entries = json.loads(body)["model_stats"] if status == 200 else []
            count = sum(int(entry["inference_stats"]["fail"]["count"]) for entry in entries)
        except (OSError, ValueError, LookupError, TypeError):
            return 0
        before, self._failed = self._failed, count
        return 0 if before is None else count - before


def _runs(process: Path, file: str) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if len(words) < 2 or not words[0].endswith(STUB):
            return False
        return os.path.realpath(process / "cwd" / os.fsdecode(words[1])) == file
    except OSError:
        return False
