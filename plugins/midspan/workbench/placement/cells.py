"""The six cells of PieSlicer's evaluation: three devices on two networks, each component of time a line over bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from midspan.errors import ConfigError
from midspan.workbench.placement.files import number, read_text

__all__ = ["Cell", "Coefficients", "Constants", "Line", "Noise", "read_coefficients"]

MAX_FILE_BYTES: Final = 1 << 20
MAX_MS: Final = 1e6
MAX_BYTES: Final = 10**9
MAX_SIDE_PX: Final = 16_384

DEVICES: Final = ("nexus5", "motox4", "pixel2")
NETWORKS: Final = ("residential", "university")
MOST_NETWORK_MAPE: Final = 0.36
"""The mid-end phone's 71.78% on the university's network is far from all its neighbours; it counts as this much."""
DEVICE_MAPE: Final = {"nexus5": 0.1261, "motox4": 0.0659, "pixel2": 0.0683}
CLOUD_MAPE: Final = {"nexus5": 0.0665, "motox4": 0.0643, "pixel2": 0.0585}
"""Both of Table 3, image-1k: low-end, mid-end, high-end."""
NETWORK_MAPE: Final = {
    "residential": {"nexus5": 0.3554, "motox4": 0.1691, "pixel2": 0.1901},
    "university": {"nexus5": 0.2308, "motox4": 0.7178, "pixel2": 0.3027},
}
"""Of Table 2, image-1k."""


@dataclass(frozen=True, slots=True)
class Line:
    """seconds = slope_s * megabytes + intercept_s; a megabyte has 1e6 bytes."""

    slope_s: float
    intercept_s: float

    def seconds(self, size_bytes: int) -> float:
        """The time for so many bytes, without noise."""
        return self.slope_s * size_bytes / 1e6 + self.intercept_s


@dataclass(frozen=True, slots=True)
class Noise:
    """Mean absolute percentage errors, as fractions, that the paper's linear models had in one cell."""

    device: float
    cloud: float
    network: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One device on one network: the true time of each component, and how far measurements scatter around it."""

    device: str
    network: str
    on_device: Line
    link: Line
    in_cloud: Line
    noise: Noise


@dataclass(frozen=True, slots=True)
class Constants:
    """What PieSlicer is told, rather than learns.

    Attributes:
        skip_below_bytes: the first fast check (section 5.2): a smaller photo is sent as it is.
        target_side_px: what photos are resized to; the second check compares with its square.
        alpha: weight of the newest error in the delta.
        sent_bytes: mean size of what was preprocessed on the device.

    """

    skip_below_bytes: int
    target_side_px: int
    alpha: float
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a file of coefficients holds: a cell for each device and network, and what is the same in all.

    `jpeg_quality` is that of resized photos, `fixed_s` the time of cloud preparation (section 4.2).
    """

    cells: tuple[Cell, ...]
    constants: Constants
    jpeg_quality: int
    fixed_s: float


def read_coefficients(path: Path) -> Coefficients:
    """Read a JSON file such as benchmarks/placement/coefficients.json.

    Raises ConfigError, which names the key, for a file that cannot be read, lacks a cell, or holds a number that is no
    time.
    """
    try:
        tables = json.loads(read_text(path, MAX_FILE_BYTES))
        return _coefficients(tables)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {str(error)[:200]}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _coefficients(tables: Any) -> Coefficients:
    table = _entry(tables, "constants")
    return Coefficients(
        cells=tuple(_cell(tables, device, network) for network in NETWORKS for device in DEVICES),
        constants=Constants(
            skip_below_bytes=_whole(table, "skip_below_bytes", MAX_BYTES),
            target_side_px=_whole(table, "target_side_px", MAX_SIDE_PX),
            alpha=number(table.get("alpha"), "constants.alpha", 1.0),
            sent_bytes=_whole(table, "mean_preprocessed_bytes", MAX_BYTES),
        ),
        jpeg_quality=_whole(table, "jpeg_quality", 100),
        fixed_s=number(table.get("cloud_preparation_ms"), "constants.cloud_preparation_ms", MAX_MS) / 1e3,
    )


def _cell(tables: Any, device: str, network: str) -> Cell:
    return Cell(
        device=device,
        network=network,
        on_device=_line(tables, ("on_device_preprocess", device)),
        link=_line(tables, ("network", network, device)),
        in_cloud=_line(tables, ("in_cloud_preprocess",)),
        noise=Noise(DEVICE_MAPE[device], CLOUD_MAPE[device], min(NETWORK_MAPE[network][device], MOST_NETWORK_MAPE)),
    )


def _line(tables: Any, keys: Iterable[str]) -> Line:
    *outer, last = keys
    for key in outer:
        tables = _entry(tables, key)
    name = ".".join((*outer, last))
    pair = tables.get(last) if isinstance(tables, Mapping) else None
    if not isinstance(pair, list) or len(pair) != 2:
        raise ConfigError(f"{name} must be [slope_ms_per_mb, intercept_ms], got {str(pair)[:100]}")
    slope_ms, intercept_ms = (number(one, name, MAX_MS) for one in pair)
    if not slope_ms + intercept_ms:
        raise ConfigError(f"{name} must not be all zeros: nothing takes no time")
    return Line(slope_ms / 1e3, intercept_ms / 1e3)


def _entry(table: Any, key: str) -> Mapping[str, Any]:
    found = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(found, Mapping):
        raise ConfigError(f"{key} must be a table, got {str(found)[:100]}")
    return found


def _whole(table: Mapping[str, Any], key: str, most: int) -> int:
    value = number(table.get(key), f"constants.{key}", most, 1)
    if value != int(value):
        raise ConfigError(f"constants.{key} must be a whole number, got {value}")
    return int(value)
