"""Recorded requests: the client's store, read with suspicion; and written, of what a simulation measured."""

from __future__ import annotations

import math
import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from midspan.errors import ConfigError
from midspan.routing.route import Route
from midspan.workbench.placement.cells import Cell
from midspan.workbench.placement.files import check_regular, number
from midspan.workbench.placement.ours import Witness
from midspan.workbench.placement.request import Choice, Measured, PhotoSize
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.store import MAX_ROWS, LogRow, Store

__all__ = ["MAX_LOG_ROWS", "LoggedRequest", "Recording", "read_log"]

MAX_LOG_ROWS: Final = 100_000
MAX_LOG_BYTES: Final = 256 << 20
MAX_STEPS: Final = 100_000_000
"""Of sqlite's machine, for the whole query: a hundred thousand rows take some ten million."""
STEPS_AT_ONCE: Final = 100_000
MAX_NAME: Final = 100
MAX_S: Final = 86_400.0
MAX_AT_S: Final = 1e11
MAX_PHOTO_BYTES: Final = 64 << 20
"""Of a photo and of what is sent."""
MAX_SIDE_PX: Final = 2**24
COLUMNS: Final = (
    "at", "network", "device", "provider", "photo_bytes", "width_px", "height_px", "bytes_up", "work_s", "send_s",
    "server_s", "prepare_s",
)  # fmt: skip
CHOICES: Final[dict[str, Choice]] = {ResizedProvider.name: "local", OriginalProvider.name: "remote"}
_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'decisions' AND sql NOT LIKE 'CREATE VIRTUAL%'"
# What is too long is left out before it is read: a damaged row must not cost memory.
_ROWS = f"""
SELECT {", ".join(COLUMNS)} FROM decisions
WHERE degraded = '' AND teaches AND server_s IS NOT NULL AND prepare_s IS NOT NULL AND photo_bytes > 0
    AND provider IN ('{ResizedProvider.name}', '{OriginalProvider.name}')
    AND max(length(CAST(network AS BLOB)), length(CAST(device AS BLOB))) <= {MAX_NAME}
ORDER BY id LIMIT {MAX_LOG_ROWS + 1}
"""  # noqa: S608  # our own constants

EPOCH_S: Final = 1_704_067_200.0
"""When a simulation's first request happens in its log, so that the same seed writes the same log: 1 January 2024."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as a client logged it. `network` is the store's salted hash of its name; `at_s` since 1970."""

    device: str
    network: str
    at_s: float
    photo: PhotoSize
    choice: Choice
    measured: Measured


def read_log(path: Path, networks: Sequence[str] = ()) -> list[LoggedRequest]:
    """All requests of a client's store from which all four components are known, oldest first.

    Left out are requests that went another way than was chosen, those over a new connection, those whose server did not
    say what it took, and those by other routes than the two built-in ones. The store hashes the names of networks; who
    knows them can say so in `networks`, to have them back. The file is opened for reading alone. Raises ConfigError for
    one that is no store of this version, is too large, or holds absurd numbers.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        if size > MAX_LOG_BYTES:
            raise ConfigError(f"{path} has {size} bytes; at most {MAX_LOG_BYTES} are allowed")
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as db:
            rows = _rows(db, path)
            names = _names(db, networks)
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read {path} as a client's store: {error}") from error
    if len(rows) > MAX_LOG_ROWS:
        raise ConfigError(f"{path} has more than the {MAX_LOG_ROWS} requests that are allowed")
    return [_request(row, names, f"{path}, request {i}") for i, row in enumerate(rows, 1)]


def _rows(db: sqlite3.Connection, path: Path) -> list[tuple[Any, ...]]:
    left = MAX_STEPS // STEPS_AT_ONCE

    def tire() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    db.set_progress_handler(tire, STEPS_AT_ONCE)
    db.execute("PRAGMA trusted_schema=OFF")
    if db.execute(_TABLE).fetchone() is None:
        raise ConfigError(f"{path} is no client's store: it has no table of decisions")
    # The last column of table_xinfo is 0 for plain ones; those that compute their values can compute anything.
    plain = {str(row[1]) for row in db.execute("PRAGMA table_xinfo(decisions)") if row[6] == 0}
    missing = {*COLUMNS, "degraded", "teaches"} - plain
    if missing:
        raise ConfigError(f"{path} is no store of this version: decisions lack {', '.join(sorted(missing))}")
    return db.execute(_ROWS).fetchall()


def _names(db: sqlite3.Connection, networks: Sequence[str]) -> dict[str, str]:
    """Each network by what the store calls it."""
    if not networks:
        return {}
    found = db.execute("SELECT value FROM meta WHERE name = 'salt' AND length(value) <= 128").fetchone()
    try:
        salt = bytes.fromhex(found[0])
        store = Store(None, "", urandom=lambda count: salt)
        return {store.network_id(name): name for name in networks}
    except (TypeError, ValueError):
        raise ConfigError("the store has no salt, so that no network can be told by its name") from None


def _request(row: Sequence[Any], names: Mapping[str, str], where: str) -> LoggedRequest:
    values = dict(zip(COLUMNS, row, strict=True))

    def real(name: str, most: float = MAX_S) -> float:
        return number(values[name], f"{where}: {name}", most)

    choice = CHOICES[values["provider"]]
    photo_bytes, sent_bytes = (int(real(name, MAX_PHOTO_BYTES)) for name in ("photo_bytes", "bytes_up"))
    server_s, prepare_s = real("server_s"), real("prepare_s")
    return LoggedRequest(
        device=str(values["device"]),
        network=names.get(str(values["network"]), str(values["network"])),
        at_s=real("at", MAX_AT_S),
        photo=PhotoSize(photo_bytes, int(real("width_px", MAX_SIDE_PX)), int(real("height_px", MAX_SIDE_PX))),
        choice=choice,
        measured=Measured(
            device_s=real("work_s") if choice == "local" else 0.0,
            link_s=real("send_s"),
            prepare_s=prepare_s,
            fixed_s=max(server_s - prepare_s, 0.0),
            bytes_up=sent_bytes,
        ),
    )


class Recording:
    """A store that will hold what `ours` measured in a simulation, as if devices had logged it.

    A store keeps the newest 10,000 requests; of each cell the newest are kept, the same number of each.

    Args:
        path: of the file; must not be there yet.
        cells: how many there will be.

    Raises ConfigError where the file is there or cannot be made.

    """

    def __init__(self, path: Path, cells: int) -> None:
        if path.exists():
            raise ConfigError(f"{path} is there already; a simulation is not mixed with other requests")
        self._store = Store(path, "")
        if not path.exists():
            raise ConfigError(f"cannot make {path}")
        self._most = MAX_ROWS // cells
        self._cells: list[deque[LogRow]] = []

    def witness(self, cell: Cell) -> Witness:
        """Who is to be told of the requests of that cell."""
        network = self._store.network_id(cell.network)
        rows: deque[LogRow] = deque(maxlen=self._most)
        self._cells.append(rows)
        return lambda *one: rows.append(_row(cell.device, network, *one))

    def close(self) -> None:
        """Write it all."""
        for rows in self._cells:
            for row in rows:
                self._store.log(row)
        self._store.close()


def _row(device: str, network: str, route: Route, photo: PhotoSize, measured: Measured, at_s: float) -> LogRow:
    server_s = measured.prepare_s + measured.fixed_s
    seconds = {part.name: part.seconds for part in route.parts}
    sd_s = {part.name: part.sd_s for part in route.parts if part.sd_s is not None}
    server_sd_s = math.hypot(sd_s["prepare"], sd_s["fixed"]) if {"prepare", "fixed"} <= sd_s.keys() else None
    return LogRow(
        at=EPOCH_S + at_s,
        origin="",
        network=network,
        device=device,
        route=route.name,
        provider=route.provider,
        variant=route.variant,
        attempts=1,
        degraded="",
        photo_bytes=photo.photo_bytes,
        width_px=photo.width_px,
        height_px=photo.height_px,
        predicted_bytes_up=route.bytes_up,
        predicted_device_s=route.device_s,
        predicted_send_s=route.send_s,
        predicted_server_s=route.server_s,
        predicted_prepare_s=seconds.get("prepare"),
        predicted_device_sd_s=sd_s.get("device"),
        predicted_send_sd_s=sd_s.get("link"),
        predicted_server_sd_s=server_sd_s,
        bytes_up=measured.bytes_up,
        work_s=measured.device_s,
        device_s=measured.device_s,
        send_s=measured.link_s,
        server_s=server_s,
        prepare_s=measured.prepare_s,
        total_s=measured.total_s,
        teaches=True,
    )
