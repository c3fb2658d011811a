"""Request parameters: who declares which, and one check of names, types and ranges for all of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Final

from midspan import wire
from midspan.errors import BadParameterError, ConfigError
from midspan.types import Parameter, Scalar

__all__ = ["KERNEL_PARAMETERS", "check", "declare"]

MAX_TEXT: Final = 1000

KERNEL_PARAMETERS: Final = (
    Parameter(wire.PARAMETER_VARIANT, str, "", "the variant to run; empty leaves it open", maximum=100),
    Parameter(wire.PARAMETER_CONTENT_TYPE, str, "", "what the payload is; empty lets the server look", maximum=200),
    Parameter(wire.PARAMETER_CONTROL, str, "", "ask for `catalog` or `health` instead of an inference", maximum=100),
    Parameter(wire.PARAMETER_TOP_K, int, 5, "how many predictions to report", minimum=1, maximum=1000),
    Parameter(wire.PARAMETER_SCORES, bool, False, "put the scores of all classes into the report"),
    Parameter(wire.PARAMETER_ID, str, "", "the caller's name for the request; comes back in the report", maximum=200),
)
"""What every server reads, whatever plug-ins are enabled."""

_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


def declare(groups: Iterable[tuple[str, Iterable[Parameter]]]) -> dict[str, Parameter]:
    """All declared parameters by name. `groups` pairs an owner with what it declares. Raises ConfigError on a clash."""
    declared: dict[str, Parameter] = {}
    owners: dict[str, str] = {}
    for owner, parameters in groups:
        for parameter in parameters:
            if parameter.name in declared:
                raise ConfigError(
                    f"{owner} declares the parameter {parameter.name!r}, which belongs to {owners[parameter.name]}"
                )
            declared[parameter.name] = parameter
            owners[parameter.name] = owner
    return declared


def check(raw: Mapping[str, object], declared: Mapping[str, Parameter]) -> dict[str, Scalar]:
    """Declared parameters only, each of its type and in its range, defaults filled in. Raises BadParameterError."""
    values: dict[str, Scalar] = {
        name: parameter.default for name, parameter in declared.items() if parameter.default is not None
    }
    for name, value in raw.items():
        parameter = declared.get(name)
        if parameter is None:
            close = difflib.get_close_matches(name[:100], declared, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(declared))}"
            raise BadParameterError(f"unknown parameter {name[:100]!r}; {hint}")
        values[name] = _value(parameter, value)
    return values


def _value(parameter: Parameter, raw: object) -> Scalar:
    value = _typed(parameter.kind, raw)
    if value is None:
        wanted = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}[parameter.kind]
        raise BadParameterError(f"parameter {parameter.name!r} must be {wanted}, got {str(raw)[:100]!r}")
    if isinstance(value, str):
        limit = parameter.maximum or MAX_TEXT
        if len(value) > limit:
            raise BadParameterError(
                f"parameter {parameter.name!r} has {len(value)} characters; at most {limit:.0f} are allowed"
            )
        return value
    low = -math.inf if parameter.minimum is None else parameter.minimum
    high = math.inf if parameter.maximum is None else parameter.maximum
    if not low <= value <= high:
        raise BadParameterError(
            f"parameter {parameter.name!r} must be between {low:g} and {high:g}, got {value!r:.100}"
        )
    return value


def _typed(kind: type, raw: object) -> Scalar | None:
    """`raw` as `kind`, or None. Headers carry everything as text, so text that spells a number will do."""
    if kind is str:
        return raw if isinstance(raw, str) else None
    if isinstance(raw, str):
        if kind is bool:
            return _WORDS.get(raw.lower())
        if len(raw) > 40:  # longer than any number needs; keeps int() from chewing on megabytes
            return None
        try:
            raw = int(raw) if kind is int else float(raw)
        except ValueError:
            return None
    if isinstance(raw, bool) or kind is bool:
        return raw if isinstance(raw, bool) and kind is bool else None
    if kind is int:
        return raw if isinstance(raw, int) else None
    if isinstance(raw, int | float) and math.isfinite(raw):
        return float(raw)
    return None
