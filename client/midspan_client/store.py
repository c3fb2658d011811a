"""What the SDK remembers on disk: learned models and a log of decisions, in one sqlite file.

Writes are gathered in memory and flushed at the first request at least `FLUSH_S` after the last flush, when `FULL` are
gathered, and when the client closes: a killed process loses what it learned since its last flush, never more, and never
damages what is there. Two processes on one file are safe; of the same model the later flush stays.

Nothing here ever fails a request. Where the file is damaged, read-only, full or locked, the client warns once and goes
on in memory; a file that could be opened is tried again at each later flush.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["LogRow", "Store"]

FLUSH_S = 5.0
FULL = 256
MAX_ROWS = 10_000
MAX_MODELS = 10_000
MAX_STATE_BYTES = 65_536
BUSY_S = 0.05
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (
    origin TEXT, network TEXT, name TEXT, state TEXT NOT NULL, PRIMARY KEY (origin, network, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, at REAL, origin TEXT, network TEXT, route TEXT, provider TEXT, variant TEXT,
    attempts INTEGER, degraded TEXT,
    predicted_bytes_up INTEGER, predicted_device_s REAL, predicted_send_s REAL, predicted_server_s REAL,
    bytes_up INTEGER, device_s REAL, send_s REAL, server_s REAL, total_s REAL);
"""
_INSERT = "INSERT INTO decisions VALUES (NULL" + ", ?" * 17 + ")"
_logger = logging.getLogger("midspan_client")

LogRow = tuple[float, str, str, str, str, str, int, str, int, float, float, float, int, float, float, float, float]
"""The columns of `decisions` after `id`."""


class Store:
    """One client's memory. Thread-safe. `path` None keeps nothing beyond the client's life.

    Args:
        path: the sqlite file; made if it is not there.
        origin: the server's address; models of different servers are kept apart.
        clock: seconds, monotonic.

    """

    def __init__(self, path: str | Path | None, origin: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._origin = origin
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[tuple[str, str], Any] = {}
        self._dirty: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {}
        self._rows: list[LogRow] = []
        self._flushed_at = clock()
        self._warned = False
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def load(self, network: str, name: str) -> Any:
        """The saved state of a model, parsed JSON but not checked further; None if there is none."""
        with self._lock:
            return self._states.get((network, name))

    def save(self, network: str, name: str, state: Callable[[], dict[str, Any]]) -> None:
        """Keep a model; `state` is called when it is written, under the caller's own lock (see `flush`)."""
        with self._lock:
            self._dirty[network, name] = state

    def log(self, row: LogRow) -> None:
        """Keep one decision; dropped where there is no file, so that memory stays bounded."""
        with self._lock:
            if self._db is not None:
                self._rows.append(row)

    def flush(self, *, now: bool = False) -> None:
        """Write what was gathered, if it is time or `now`. No model may change meanwhile."""
        with self._lock:
            due = self._clock() - self._flushed_at >= FLUSH_S or (len(self._rows) >= FULL and not self._warned)
            if self._db is None or not (now or due):
                return
            self._flushed_at = self._clock()
            models = [(self._origin, *key, json.dumps(state())) for key, state in self._dirty.items()]
            try:
                self._write(self._db, models, self._rows)
            except (sqlite3.Error, OSError) as error:
                self._warn(error)
                del self._rows[:-FULL]
                return
            self._rows.clear()
            self._dirty.clear()

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        self.flush(now=True)
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _open(self, path: str | Path) -> None:
        try:
            db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._db = db
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"has version {version}; this client reads {_VERSION}")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version={_VERSION}")
            self._read(db)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
            if self._db is not None:
                self._db.close()
                self._db = None

    def _read(self, db: sqlite3.Connection) -> None:
        query = "SELECT network, name, state FROM models WHERE origin = ? AND length(state) <= ? LIMIT ?"
        for network, name, state in db.execute(query, (self._origin, MAX_STATE_BYTES, MAX_MODELS)):
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                self._states[str(network), str(name)] = json.loads(state)

    def _write(self, db: sqlite3.Connection, models: Sequence[tuple[str, ...]], rows: Sequence[LogRow]) -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", models)
            db.executemany(_INSERT, rows)
            db.execute("DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?", (MAX_ROWS,))
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            _logger.warning("the store %s cannot be used, going on in memory: %s", self._path, error)
            self._warned = True
