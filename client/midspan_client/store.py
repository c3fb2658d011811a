"""What the SDK remembers on disk: learned models and a log of decisions, in one sqlite file.

Writes are gathered in memory and flushed at the first request at least `FLUSH_S` after the last flush, when `FULL` are
gathered, and when the client closes: a killed process loses what it learned since its last flush, never more, and never
damages what is there. Two processes on one file are safe; of the same model the later flush stays.

The file stays small: of decisions, networks and models the newest are kept, and space that becomes free is used again.
It names no network: what the app calls one is hashed with a salt of this file's own, made at random with the file.

Nothing here ever fails a request. Where the file is damaged, read-only, full or locked, the client warns once and goes
on in memory; a file that could be opened is tried again at each later flush.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from midspan_client.schema import SCHEMA, TABLES, TRIM, VERSION

__all__ = ["EVERYWHERE", "LogRow", "Store"]

EVERYWHERE = ""
"""Stands for "whatever the network"."""
FLUSH_S = 5.0
FULL = 256
MAX_ROWS = 10_000
MAX_NETWORKS = 64
MAX_MODELS = 2_000
MAX_STATE_BYTES = 16_384
MAX_WAL_BYTES = 2**20
BUSY_S = 0.05
_SALT_BYTES = 16
_logger = logging.getLogger("midspan_client")


class LogRow(NamedTuple):
    """One decision: the columns of `decisions` after `id`. None where nobody knows.

    Attributes:
        at: seconds since 1970.
        origin: the server's address.
        network: the salted hash of the network that was in use when the request began.
        device: the label that the app gave this device, or "".
        route: what was done, by which `provider`, for which `variant`.
        attempts: exchanges tried.
        degraded: why the photo was sent as it is; "" if the chosen route was taken.
        photo_bytes: size of the photo as the app gave it; `width_px`, `height_px`: 0 where its header does not say.
        predicted_bytes_up: predicted bytes of the payload; `predicted_device_s` and so on: predicted seconds, of which
            `predicted_prepare_s` is a part of `predicted_server_s`. ``..._sd_s``: standard deviation of the error that
            was expected.
        bytes_up: bytes of payload sent.
        work_s: seconds inside ``with session.device()``.
        device_s: all seconds that were neither the network's nor the server's.
        send_s: seconds of the network, both ways, and waiting before retries; the server's too, where it did not say.
        server_s: seconds that the server reported, at most those of the exchanges.
        prepare_s: the part of `server_s` that went into decoding and preprocessing; None if the server says more.
        total_s: seconds from the decision to the answer.
        teaches: whether `send_s` is one exchange on an open connection of one network, so that it tells of the link.

    """

    at: float
    origin: str
    network: str
    device: str
    route: str
    provider: str
    variant: str
    attempts: int
    degraded: str
    photo_bytes: int
    width_px: int
    height_px: int
    predicted_bytes_up: int
    predicted_device_s: float
    predicted_send_s: float
    predicted_server_s: float
    predicted_prepare_s: float | None
    predicted_device_sd_s: float | None
    predicted_send_sd_s: float | None
    predicted_server_sd_s: float | None
    bytes_up: int
    work_s: float
    device_s: float
    send_s: float
    server_s: float | None
    prepare_s: float | None
    total_s: float
    teaches: bool


_INSERT = f"INSERT INTO decisions VALUES (NULL{', ?' * len(LogRow._fields)})"  # noqa: S608  # a number of marks


class Store:
    """One client's memory. Thread-safe. `path` None keeps nothing beyond the client's life.

    Args:
        path: the sqlite file; made if it is not there.
        origin: the server's address; models of different servers are kept apart.
        clock: seconds, monotonic.
        urandom: so many random bytes, for the salt.

    """

    def __init__(
        self,
        path: str | Path | None,
        origin: str,
        clock: Callable[[], float] = time.monotonic,
        urandom: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._path = path
        self._origin = origin
        self._clock = clock
        self._salt = urandom(_SALT_BYTES)
        self._lock = threading.Lock()
        self._states: dict[tuple[str, str], Any] = {}
        self._dirty: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {}
        self._networks: dict[str, None] = {}  # an ordered set: the one used last comes last
        self._used: dict[str, None] = {}  # the same, of those used since the last flush
        self._rows: list[LogRow] = []
        self._flushed_at = clock()
        self._warned = False
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def network_id(self, name: str) -> str:
        """What stands for a network of that name in this store: 16 hexadecimal digits that tell nobody its name."""
        return hashlib.blake2b(name.encode(), digest_size=8, key=self._salt).hexdigest()

    def use(self, network: str) -> list[str]:
        """Keep what is known of this network (a `network_id`) longest. Returns those that are forgotten for it."""
        with self._lock:
            for known in (self._networks, self._used):
                known.pop(network, None)
                known[network] = None
            forgotten = list(self._networks)[:-MAX_NETWORKS]
            for gone in forgotten:
                del self._networks[gone]
                self._used.pop(gone, None)
            self._states = {key: state for key, state in self._states.items() if key[0] not in forgotten}
            self._dirty = {key: state for key, state in self._dirty.items() if key[0] not in forgotten}
            return forgotten

    def load(self, network: str, name: str) -> Any:
        """The saved state of a model, parsed JSON but not checked further; None if there is none."""
        with self._lock:
            return self._states.get((network, name))

    def save(self, network: str, name: str, state: Callable[[], dict[str, Any]]) -> None:
        """Keep a model; `state` is called when it is written, under the caller's own lock (see `flush`)."""
        with self._lock:
            if self._db is not None:
                self._dirty[network, name] = state
                if network != EVERYWHERE:
                    self._used[network] = None

    def log(self, row: LogRow) -> None:
        """Keep one decision; dropped where there is no file, so that memory stays bounded."""
        with self._lock:
            if self._db is not None:
                self._rows.append(row)

    def flush(self, *, now: bool = False) -> None:
        """Write what was gathered, if it is time or `now`. No model may change meanwhile."""
        with self._lock:
            # Not "at least FLUSH_S ago": a clock that was set back would put the next flush off for as long.
            due = not 0 <= self._clock() - self._flushed_at < FLUSH_S or (len(self._rows) >= FULL and not self._warned)
            if self._db is None or not (now or due):
                return
            self._flushed_at = self._clock()
            try:
                self._write(self._db)
            except (sqlite3.Error, OSError) as error:
                self._warn(error)
                del self._rows[:-FULL]
                return
            self._rows.clear()
            self._dirty.clear()
            self._used.clear()

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
            version = _checked_version(db)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute(f"PRAGMA journal_size_limit={MAX_WAL_BYTES}")
            if version != VERSION:
                self._make(db, version)
            self._read(db)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
            if self._db is not None:
                self._db.close()
                self._db = None

    def _make(self, db: sqlite3.Connection, version: int) -> None:
        """Bring a file that is new, or of the first layout, to this one."""
        db.execute("PRAGMA secure_delete=ON")  # what is dropped is overwritten, too
        try:
            db.executescript(SCHEMA)
            db.execute("INSERT INTO meta VALUES ('salt', ?)", (self._salt.hex(),))
            db.execute(f"PRAGMA user_version={VERSION}")
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            if _version(db) != VERSION:  # else another process made it just now
                raise
        if version == 1:
            _logger.warning("the store %s is made anew: its old layout held the names of networks", self._path)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _read(self, db: sqlite3.Connection) -> None:
        found = db.execute("SELECT value FROM meta WHERE name = 'salt' AND length(value) = ?", (2 * _SALT_BYTES,))
        try:
            self._salt = bytes.fromhex(found.fetchone()[0])
        except (TypeError, ValueError):
            raise sqlite3.DatabaseError("its salt is damaged") from None
        newest = db.execute("SELECT network FROM networks ORDER BY id DESC LIMIT ?", (MAX_NETWORKS,)).fetchall()
        self._networks = {str(network): None for (network,) in reversed(newest)}
        query = "SELECT network, name, state FROM models WHERE origin = ? AND length(state) <= ? LIMIT ?"
        for network, name, state in db.execute(query, (self._origin, MAX_STATE_BYTES, MAX_MODELS)):
            if network == EVERYWHERE or network in self._networks:
                with contextlib.suppress(ValueError, TypeError, RecursionError):
                    self._states[str(network), str(name)] = json.loads(state)

    def _write(self, db: sqlite3.Connection) -> None:
        models = [(self._origin, *key, state) for key, make in self._dirty.items() if (state := _json(key, make))]
        limits = {"networks": MAX_NETWORKS, "models": MAX_MODELS, "rows": MAX_ROWS}
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO networks (network) VALUES (?)", [(one,) for one in self._used])
            db.executemany("INSERT OR REPLACE INTO models (origin, network, name, state) VALUES (?, ?, ?, ?)", models)
            db.executemany(_INSERT, self._rows)
            for statement in TRIM:
                db.execute(statement, limits)
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            _logger.warning("the store %s cannot be used, going on in memory: %s", self._path, error)
            self._warned = True


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _checked_version(db: sqlite3.Connection) -> int:
    """0 of a new file. Raises DatabaseError for a file that is not ours to change."""
    version = _version(db)
    if version not in (0, *TABLES):
        raise sqlite3.DatabaseError(f"has version {version}; this client reads {VERSION}")
    found = _layout(db)
    if _version(db) != version:  # another process made it just now
        return _checked_version(db)
    if {name for kind, name, _ in found if kind != "index"} != TABLES.get(version, set()):
        raise sqlite3.DatabaseError("is another program's file")
    # A view in a table's place, a computed column, a check or an index's expression would run with what we ask and
    # write: not one word may differ. The tables of the first layout are only dropped.
    if version == VERSION and found != _own_layout():
        raise sqlite3.DatabaseError("its tables are not as this client makes them")
    return version


def _layout(db: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """Kind, name and SQL of everything in a file."""
    return set(db.execute("SELECT type, name, sql FROM sqlite_master"))


def _own_layout() -> set[tuple[str, str, str | None]]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        return _layout(db)


def _json(key: tuple[str, str], state: Callable[[], dict[str, Any]]) -> str:
    """A model as it is written, or "" if it cannot be."""
    try:
        text = json.dumps(state())
        if len(text) > MAX_STATE_BYTES:
            raise ValueError(f"it has {len(text)} bytes; at most {MAX_STATE_BYTES} are kept")
    except Exception as error:  # a stranger's model can raise anything
        _logger.warning("the model %s is not saved: %s", key[1], error)
        return ""
    return text
