"""One configuration in three spellings: `midspan.toml`, a block of TorchServe's YAML, and JSON in a Triton parameter.

All three hold the same tables, read by the same code, so they mean the same:

    [plugins]                       which plug-ins are enabled, and in which order they are asked
    [plugins.NAME]                  the options of one plug-in, checked by that plug-in
    [family]                        the bundle to serve
    [server]                        addresses, workers and limits
    [host]                          what the workers of one host share
"""

from __future__ import annotations

import difflib
import json
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, Union, cast

from midspan.errors import ConfigError

__all__ = ["Config", "FamilyConfig", "HostConfig", "PluginsConfig", "ServerConfig", "bounded", "read_table"]

MAX_CONFIG_BYTES = 1_000_000

T = TypeVar("T")


def bounded(default: Any, minimum: float, maximum: float) -> Any:
    """A dataclass field for a number in [minimum, maximum]; `read_table` checks it."""
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


@dataclass(frozen=True, slots=True)
class PluginsConfig:
    """`enabled` names entry points in the order in which they are asked; `options` holds each one's own table."""

    enabled: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FamilyConfig:
    """`bundle` is the directory of the family; a relative one starts at the configuration file's directory."""

    bundle: Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Addresses, workers and limits of the host; what the host cannot be told, `midspan serve` passes to it."""

    host: str = "127.0.0.1"
    http_port: int = bounded(8000, 1, 65535)
    grpc_port: int = bounded(8001, 1, 65535)
    metrics_port: int = bounded(8002, 1, 65535)
    management_port: int = bounded(8003, 1, 65535)
    workers: int = bounded(2, 1, 256)
    max_batch_size: int = bounded(8, 1, 1024)
    max_batch_delay_ms: int = bounded(0, 0, 60_000)
    max_queue_size: int = bounded(256, 1, 1_000_000)
    max_payload_bytes: int = bounded(32 * 2**20, 1024, 2**30)
    token_authorization: bool = False


@dataclass(frozen=True, slots=True)
class HostConfig:
    """`store` is the sqlite file that all workers of this host share; by default it lies in the temporary directory."""

    store: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, checked for names and types. Plug-ins check their own options when they are loaded."""

    plugins: PluginsConfig
    family: FamilyConfig
    server: ServerConfig = ServerConfig()
    host: HostConfig = HostConfig()

    @classmethod
    def from_toml(cls, path: str | Path) -> Config:
        """Read `midspan.toml`; relative paths in it start at its own directory."""
        path = Path(path)
        try:
            if path.stat().st_size > MAX_CONFIG_BYTES:
                raise ConfigError(f"{path} has {path.stat().st_size} bytes; at most {MAX_CONFIG_BYTES} are allowed")
            tables = _load_toml(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:  # tomllib's error and a wrong encoding are both ValueErrors
            raise ConfigError(f"{path} is not valid TOML: {error}") from error
        return cls.from_tables(tables).resolved(path.parent)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read the `midspan` parameter of Triton's `config.pbtxt`."""
        try:
            tables = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"the parameter `midspan` is not valid JSON: {error}") from error
        return cls.from_tables(tables)

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> Config:
        """Read tables already parsed, such as the `midspan` block of TorchServe's `model-config.yaml`."""
        if not isinstance(tables, Mapping):
            raise ConfigError(f"the configuration must be a table, got {type(tables).__name__}")
        tables = dict(tables)
        plugins = tables.pop("plugins", {})
        if not isinstance(plugins, Mapping):
            raise ConfigError(f"plugins must be a table, got {type(plugins).__name__}")
        own = {name: value for name, value in plugins.items() if name != "enabled"}
        for name, options in own.items():
            if not isinstance(options, Mapping):
                raise ConfigError(f"plugins.{name} must be a table of options, got {type(options).__name__}")
        enabled = {"enabled": plugins["enabled"]} if "enabled" in plugins else {}
        tables["plugins"] = {**enabled, "options": own}
        config = read_table(cls, tables, "")
        unused = sorted(set(own) - set(config.plugins.enabled))
        if unused:
            raise ConfigError(f"plugins.{unused[0]} has options but {unused[0]!r} is not in plugins.enabled")
        return config

    def resolved(self, base: Path) -> Config:
        """The same with relative paths made absolute, starting at `base`."""
        store = self.host.store
        return replace(
            self,
            family=FamilyConfig((base / self.family.bundle).resolve()),
            host=HostConfig((base / store).resolve() if store else None),
        )

    def to_tables(self) -> dict[str, Any]:
        """Plain tables that `from_tables` reads back to an equal configuration."""
        tables = cast("dict[str, Any]", _plain(asdict(self)))
        tables["plugins"] = {"enabled": list(self.plugins.enabled), **tables["plugins"]["options"]}
        return tables

    def to_json(self) -> str:
        """The Triton spelling."""
        return json.dumps(self.to_tables(), sort_keys=True)


def read_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make the dataclass `cls` from a table, strictly: no unknown key, no wrong type, numbers within their bounds.

    `where` is the table's dotted name, for the error. Plug-ins read their options with it. Raises ConfigError.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where or 'the configuration'} must be a table, got {type(table).__name__}")
    known = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]  # T is a dataclass by contract
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
            raise ConfigError(f"unknown option {name!r}{hint}")
        values[key] = _convert(hints[key], value, name, known[key].metadata)
    for key, entry in known.items():
        if key not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise ConfigError(f"missing option {f'{where}.{key}' if where else key!r}")
    return cls(**values)


def _convert(kind: Any, value: Any, name: str, bounds: Mapping[str, float]) -> Any:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
        origin = typing.get_origin(kind)
    if hasattr(kind, "__dataclass_fields__"):
        return read_table(kind, value, name)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} must be a list, got {value!r}")
        item = typing.get_args(kind)[0]
        return tuple(_convert(item, entry, f"{name}[{index}]", {}) for index, entry in enumerate(value))
    if origin is not None:  # the options of plug-ins: checked by their owners
        return value
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{name} must be {_KINDS.get(kind, kind.__name__)}, got {value!r}")
    if bounds and not bounds["minimum"] <= value <= bounds["maximum"]:
        raise ConfigError(f"{name} must be between {bounds['minimum']} and {bounds['maximum']}, got {value!r}")
    return value


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def _plain(value: Any) -> Any:
    """JSON-able, without the entries that are None."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _load_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tables: dict[str, Any] = tomllib.loads(text)
    return tables
