"""Reading a trace: a CSV file with the header `duration_ms,mbps,latency_ms`. Everything in it is checked and capped."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Final

from midspan.emulator.link import LinkTrace, TraceStep
from midspan.errors import ConfigError

__all__ = ["read_trace"]

COLUMNS: Final = ("duration_ms", "mbps", "latency_ms")
MAX_BYTES: Final = 16 << 20
MAX_STEPS: Final = 500_000


def read_trace(path: str | Path, *, delay_ms: float = 0.0, jitter_ms: float = 0.0) -> LinkTrace:
    """The link that a trace file describes; each row holds for both directions.

    `latency_ms` is the delay one way. Where it is empty, because the source did not measure it, `delay_ms` stands in.
    Raises ConfigError for a file that is missing, too large, or holds anything but such rows; it names the line.
    """
    path = Path(path)
    rows = csv.reader(io.StringIO(_text(path), newline=""))
    try:
        header = next(rows, None)
        if header is None or tuple(header) != COLUMNS:
            raise ConfigError(f"the first line must be {','.join(COLUMNS)}, got {str(header)[:100]}")
        steps: list[TraceStep] = []
        for row in rows:
            if len(steps) >= MAX_STEPS:
                raise ConfigError(f"a trace may have at most {MAX_STEPS} steps")
            if row:
                steps.append(_step(row, delay_ms))
        return LinkTrace(path.stem, tuple(steps), tuple(steps), jitter_ms)
    except (ConfigError, csv.Error) as error:
        raise ConfigError(f"trace {path}, line {max(rows.line_num, 1)}: {error}") from error


def _step(row: list[str], delay_ms: float) -> TraceStep:
    if len(row) != len(COLUMNS):
        raise ConfigError(f"needs {len(COLUMNS)} values, got {len(row)}")
    duration, rate, latency = row
    return TraceStep(_number(duration), _number(rate), _number(latency) if latency.strip() else delay_ms)


def _number(text: str) -> float:
    # float() alone would also take digits of other scripts, underscores and, slowly, very long strings.
    if len(text) <= 32 and text.isascii() and "_" not in text:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
    raise ConfigError(f"{text[:40]!r} is not a number")


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # opening a pipe may wait for ever
        raise ConfigError(f"cannot read the trace {path}: it is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read trace {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"trace {path} has more than the {MAX_BYTES} bytes that are allowed")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"trace {path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
