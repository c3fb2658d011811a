"""What the worker processes of one host share: counts, means, samples, and what was learned from them: one sqlite file.

Every Triton instance and TorchServe worker is its own process, so nothing learned may live in a process's memory alone.
Writes are gathered and flushed at most every `flush_s` seconds, at the next write after that, and at close: a killed
process loses at most what it gathered since its last flush, and nothing that others wrote.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import stat
import tempfile
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from midspan.errors import ConfigError

__all__ = ["HostStore", "default_path"]

DECAY = 0.98
"""Weight that a running mean keeps when one more value comes in: it remembers about the last 50 values."""

BUSY_MS = 50
"""How long a flush waits for other workers; what it cannot write then waits for the next one, and no request for it."""

MAX_SAMPLES = 512
"""How many samples of one name are kept: the newest."""

MAX_NAMES = 256
"""How many names may have samples, and how many a published value: those that were written to last."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS means (name TEXT PRIMARY KEY, mean REAL NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rings
    (name TEXT PRIMARY KEY, written INTEGER NOT NULL, written_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS samples (name TEXT, slot INTEGER, sample TEXT, PRIMARY KEY (name, slot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
"""

_Samples = defaultdict[str, deque[Sequence[float]]]


def default_path(name: str) -> Path:
    """`name` in a directory under the temporary one that only this user may enter; else raises ConfigError."""
    directory = Path(tempfile.gettempdir()) / f"midspan-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"{directory} belongs to somebody else or is open to others; set host.store")
    return directory / f"{name}.sqlite"


class HostStore:
    """Counts that add up, means that follow, the last samples, and published values, over all who open `path`.

    Not thread-safe: one instance belongs to one thread of one worker. Names are ours or a plug-in's, never a caller's,
    so that the file stays bounded. `wall_clock` is what processes have in common, restarts included.
    """

    def __init__(
        self,
        path: Path,
        *,
        flush_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._flush_s = flush_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._holder = uuid.uuid4().hex
        self._counts: dict[str, int] = defaultdict(int)
        self._values: dict[str, tuple[float, int]] = {}
        self._samples: _Samples = defaultdict(partial(deque, maxlen=MAX_SAMPLES))
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

    def sample(self, name: str, values: Sequence[float]) -> None:
        """Keep some numbers that belong together; of each name the last `MAX_SAMPLES` stay."""
        self._samples[name].append([*map(float, values)])  # what JSON cannot say must not wait for the flush
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

    def samples(self, name: str) -> list[tuple[float, ...]]:
        """The last samples of that name, of all processes, in no order."""
        self.flush()
        rows = self._query("SELECT sample, slot FROM samples WHERE name = ?", name)
        return [tuple(json.loads(sample)) for sample, _ in rows]

    def sampled(self) -> dict[str, int]:
        """How many samples each name has had so far, those included that made room for others."""
        self.flush()
        return {name: int(written) for name, written in self._query("SELECT name, written FROM rings")}

    def publish(self, name: str, value: Mapping[str, Any]) -> bool:
        """Show a JSON object to all processes under a higher version than ever; False if the disk does not let us.

        Versions are seconds since 1970, or one more than the last: they grow even if the file gets lost in between.
        """
        sql = (
            "INSERT INTO published VALUES (:name, :version, :value) ON CONFLICT(name) DO UPDATE SET "
            "version = max(version + 1, excluded.version), value = excluded.value"
        )
        crowd = "DELETE FROM published WHERE name NOT IN (SELECT name FROM published ORDER BY version DESC LIMIT :most)"
        written = self._change(sql, name=name, version=int(self._wall_clock()), value=json.dumps(value))
        self._change(crowd, most=MAX_NAMES)
        return written

    def published(self) -> dict[str, dict[str, Any]]:
        """What is published under each name, with its `version`."""
        rows = self._query("SELECT name, version, value FROM published")
        return {name: {"version": int(version), **json.loads(value)} for name, version, value in rows}

    def claim(self, name: str, for_s: float) -> bool:
        """Ask for a job that one of all processes should do: true if no other has asked for it in the last `for_s`.

        Who holds it keeps it by asking again. Who dies loses it after `for_s`; so does who sleeps that long.
        """
        now = self._wall_clock()
        sql = (
            "INSERT INTO claims VALUES (:name, :holder, :until) ON CONFLICT(name) DO UPDATE SET "
            "holder = :holder, until = :until "
            "WHERE holder = :holder OR until <= :now OR until > :until"  # the last: the clock was set back
        )
        return self._change(sql, name=name, holder=self._holder, until=now + for_s, now=now)

    def flush(self) -> None:
        """Write what was gathered. A locked or full disk keeps it for the next time: serving goes on."""
        self._flushed_at = self._clock()
        if self._db is None or not (self._counts or self._values or self._samples):
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
            for name, samples in self._samples.items():
                _write_samples(self._db, name, samples, self._wall_clock())
            self._db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            return
        self._counts.clear()
        self._values.clear()
        self._samples.clear()

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        self.flush()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _flush_if_due(self) -> None:
        if self._clock() - self._flushed_at >= self._flush_s:
            self.flush()

    def _query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall() if self._db is not None else []
        except sqlite3.Error:
            return []

    def _change(self, sql: str, **values: Any) -> bool:
        """Write at once; whether a row was changed."""
        try:
            return self._db is not None and self._db.execute(sql, values).rowcount > 0
        except sqlite3.Error:
            return False


def _write_samples(db: sqlite3.Connection, name: str, samples: Sequence[Sequence[float]], now_s: float) -> None:
    row = db.execute("SELECT written FROM rings WHERE name = ?", (name,)).fetchone()
    written = row[0] if row else 0
    db.executemany(
        "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
        [(name, (written + i) % MAX_SAMPLES, json.dumps(sample)) for i, sample in enumerate(samples)],
    )
    db.execute("INSERT OR REPLACE INTO rings VALUES (?, ?, ?)", (name, written + len(samples), now_s))
    if row is None:  # only a new name can be one too many
        crowd = "DELETE FROM rings WHERE name NOT IN (SELECT name FROM rings ORDER BY written_at DESC LIMIT ?)"
        if db.execute(crowd, (MAX_NAMES,)).rowcount:
            db.execute("DELETE FROM samples WHERE name NOT IN (SELECT name FROM rings)")


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
