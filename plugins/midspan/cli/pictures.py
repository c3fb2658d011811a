"""Where commands put the pictures they draw."""

from __future__ import annotations

from pathlib import Path

from midspan.errors import ConfigError

__all__ = ["write_picture"]


def write_picture(path: Path, png: bytes) -> None:
    """Write the file. Raises ConfigError where that cannot be done."""
    try:
        path.write_bytes(png)
    except OSError as error:
        raise ConfigError(f"cannot write the picture to {path}: {error.strerror}") from error
