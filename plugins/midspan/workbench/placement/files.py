"""Reading files that anybody may have written: capped in size, numbers finite and within bounds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from midspan.errors import ConfigError

__all__ = ["MAX_TEXT_BYTES", "check_regular", "number", "read_text", "whole"]

MAX_TEXT_BYTES = 16 << 20
MAX_DIGITS = 20


def check_regular(path: Path) -> None:
    """Raises ConfigError for what is there but is no regular file: opening a pipe may wait for ever."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"cannot read {path}: it is no regular file")


def read_text(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> str:
    """A UTF-8 file. Raises ConfigError where it cannot be read, is larger, or holds something else."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if len(data) > most_bytes:
        raise ConfigError(f"{path} has more than the {most_bytes} bytes that are allowed")
    return text


def number(value: Any, name: str, most: float, least: float = 0.0) -> float:
    """A finite number of JSON or sqlite within bounds. Raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:  # not NaN either
        raise ConfigError(f"{name} must be a number between {least:.10g} and {most:.10g}, got {str(value)[:100]!r}")
    result = float(value)
    return result if math.isfinite(result) else most


def whole(text: str | None, name: str, most: int) -> int:
    """A whole number of a CSV file, 1 or more. Raises ConfigError."""
    # int() alone would also take digits of other scripts, underscores and, slowly, very long strings.
    digits = text.strip() if text is not None else ""
    value = int(digits) if len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdigit() else 0
    if not 1 <= value <= most:
        raise ConfigError(f"{name} must be a whole number between 1 and {most}, got {str(text)[:40]!r}")
    return value
