"""Where the files lie that a server loads: inside an installed wheel, or at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

import midspan
from midspan.errors import ConfigError

__all__ = ["handler_file", "model_directory"]


def handler_file() -> Path:
    """The module that TorchServe loads."""
    return _find("handlers/midspan_handler.py")


def model_directory() -> Path:
    """The directory that Triton loads, with `config.pbtxt` still a template."""
    return _find("model_repository/midspan")


def _find(name: str) -> Path:
    package = Path(midspan.__file__).parent
    candidates = [package / "_deploy" / name, package.parents[1] / name]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise ConfigError(f"this installation of midspan lacks {name}; looked for {' and '.join(map(str, candidates))}")
