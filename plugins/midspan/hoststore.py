"""What the worker processes of one host share: counts and running means, in one sqlite file in WAL mode.

Every Triton instance and TorchServe worker is its own process, so nothing learned may live in a process's memory alone.
Writes are gathered and flushed at most every `flush_s` seconds, at the next write after that, and at close: a killed
process loses at most what it gathered since its last flush, and nothing that others wrote.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from midspan.errors import ConfigError

__all__ = ["HostStore", "default_path"]

DECAY = 0.98
"""Weight that a running mean keeps when one more value comes in: it remembers about the last 50 values."""

BUSY_MS = 50
"""How long a flush waits for other workers; what it cannot write then waits for the next one, and no request for it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS means (name TEXT PRIMARY KEY, mean REAL NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
"""


def default_path(name: str) -> Path:
    """`name` in a directory under the temporary one that only this user may enter; else raises ConfigError."""
    directory = Path(tempfile.gettempdir()) / f"midspan-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"{directory} belongs to somebody else or is open to others; set host.store")
    return directory / f"{name}.sqlite"


class HostStore:
    """Counts that add up and means that follow, over all processes that open the same `path`.

    Not thread-safe: one instance belongs to one worker. Names are ours or a plug-in's, never a caller's, so that the
    file stays bounded.
    """

    def __init__(self, path: Path, *, flush_s: float = 0.5, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._flush_s = flush_s
        self._clock = clock
        self._counts: dict[str, int] = defaultdict(int)
        self._values: dict[str, tuple[float, int]] = {}
        self._flushed_at = clock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db: sqlite3.Connection | None = _open(path)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"cannot use the host's store {path}: {error}") from error

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a count."""
        self._counts[name] += amount
        self._flush_if_due()

    def observe(self, name: str, value: float) -> None:
        """Let a running mean follow `value`."""
        mean, seen = self._values.get(name, (0.0, 0))
        weight = 1.0 if seen == 0 else max(1 - DECAY, 1 / (seen + 1))
        self._values[name] = (mean + weight * (value - mean), seen + 1)
        self._flush_if_due()

    def counts(self, prefix: str = "") -> dict[str, int]:
        """All counts whose names start with `prefix`, of all processes; this process's own are flushed first."""
        self.flush()
        rows = self._query("SELECT name, value FROM counts")
        return {name: int(value) for name, value in rows if str(name).startswith(prefix)}

    def means(self, prefix: str = "") -> dict[str, float]:
        """All running means whose names start with `prefix`, of all processes."""
        self.flush()
        rows = self._query("SELECT name, mean FROM means")
        return {name: float(mean) for name, mean in rows if str(name).startswith(prefix)}

    def flush(self) -> None:
        """Write what was gathered. A locked or full disk keeps it for the next time: serving goes on."""
        self._flushed_at = self._clock()
        if self._db is None or not (self._counts or self._values):
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = value + excluded.value",
                list(self._counts.items()),
            )
            self._db.executemany(
                "INSERT INTO means VALUES (:name, :mean, :seen) ON CONFLICT(name) DO UPDATE SET "
                "mean = mean + max(:weight, :seen * 1.0 / (seen + :seen)) * (:mean - mean), seen = seen + :seen",
                [
                    {"name": name, "mean": mean, "seen": seen, "weight": 1 - DECAY**seen}
                    for name, (mean, seen) in self._values.items()
                ],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            return
        self._counts.clear()
        self._values.clear()

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        self.flush()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _flush_if_due(self) -> None:
        if self._clock() - self._flushed_at >= self._flush_s:
            self.flush()

    def _query(self, sql: str) -> list[tuple[str, float]]:
        try:
            return self._db.execute(sql).fetchall() if self._db is not None else []
        except sqlite3.Error:
            return []


def _open(path: Path) -> sqlite3.Connection:
    """Connect, one process after the other: sqlite waits for no lock while a new file becomes a WAL file."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        db = sqlite3.connect(path, timeout=5, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        except sqlite3.Error:
            db.close()
            raise
    return db
