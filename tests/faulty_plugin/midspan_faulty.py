"""The plug-in `faulty`: raises in the hook that it is told to, is slow, or ends its worker. For tests alone.

Enable it first, so that it is asked before those that work. `fail_in` in its options makes it fail at load or at every
request; the request parameter of the same name makes it fail for that request alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midspan.bundle import Variant
from midspan.config import bounded, read_table
from midspan.hookspecs import hookimpl
from midspan.types import Context, Decoded, Parameter, Prepared, Record, Request, Response

__all__ = ["FaultyPlugin"]

EXIT_STATUS = 23


class Fault(Exception):
    """What it raises: no MidspanError, so that nobody expects it."""


@dataclass(frozen=True, slots=True)
class Options:
    """`fail_in` names a hook that always raises; `delay_s` is slept away before each request is decoded."""

    fail_in: str = ""
    delay_s: float = bounded(0.0, 0, 60)


class FaultyPlugin:
    """Works until told otherwise, and then leaves the request to the plug-ins after it."""

    def __init__(self) -> None:
        self._options = Options()
        self._fail_in = ""

    @hookimpl
    def midspan_configure(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = read_table(Options, options, "plugins.faulty")
        self._store = context.store
        self._raise_if("midspan_configure")

    @hookimpl
    def midspan_close(self) -> None:
        self._raise_if("midspan_close")

    @hookimpl
    def midspan_parameters(self) -> Sequence[Parameter]:
        self._raise_if("midspan_parameters")
        return [
            Parameter("fail_in", str, "", "the hook that raises for this request"),
            Parameter("delay_s", float, 0.0, "sleep before this request is decoded", minimum=0, maximum=60),
            Parameter("end_worker", bool, False, "end the worker's process in the middle of this request"),
        ]

    @hookimpl
    def midspan_describe(self) -> Mapping[str, Any]:
        self._raise_if("midspan_describe")
        return {}

    @hookimpl
    def midspan_control(self, request: Request, control: str) -> Response | None:
        self._fail_in = str(request.parameters["fail_in"])  # for midspan_describe, which is told no request
        self._raise_if("midspan_control")
        return None

    @hookimpl
    def midspan_decode(self, request: Request) -> Decoded | None:
        self._sleep(self._options.delay_s + float(request.parameters["delay_s"]))
        if request.parameters["end_worker"]:
            os._exit(EXIT_STATUS)
        self._fail_in = ""
        self._raise_if("midspan_decode", request)
        return None

    @hookimpl
    def midspan_select_variant(
        self, request: Request, decoded: Decoded, candidates: Sequence[Variant], budget_s: float | None
    ) -> str | None:
        self._raise_if("midspan_select_variant", request)
        return None

    @hookimpl
    def midspan_prepare(self, request: Request, decoded: Decoded, variant: Variant) -> Prepared | None:
        self._raise_if("midspan_prepare", request)
        if request.parameters["fail_in"] != "midspan_run":
            return None
        # midspan_run is not told the requests: the tensor carries the fault to it, among its neighbours' rows.
        side_px = variant.preprocessing.side_px
        return Prepared(np.full((1, 3, side_px, side_px), np.nan, np.float32))

    @hookimpl
    def midspan_run(self, variant: Variant, cut_in: int, cut_out: int, tensors: Any) -> Any:
        if np.isnan(tensors).any():
            raise Fault("told to raise in midspan_run")
        return None

    @hookimpl
    def midspan_observe(self, record: Record) -> None:
        self._raise_if("midspan_observe", record.request)

    @hookimpl
    def midspan_report(self, record: Record) -> Mapping[str, Any]:
        self._raise_if("midspan_report", record.request)
        return {"worker": os.getpid()}

    def _sleep(self, delay_s: float) -> None:
        """Sleep; meanwhile the host's store tells others, by a count, which process has a request in its hands."""
        if not delay_s:
            return
        busy = f"faulty.busy.{os.getpid()}"
        self._store.add(busy)
        self._store.flush()
        time.sleep(delay_s)
        self._store.add(busy, -1)
        self._store.flush()

    def _raise_if(self, hook: str, request: Request | None = None) -> None:
        asked = request.parameters["fail_in"] if request is not None else ""
        if hook in (self._options.fail_in, self._fail_in, asked):
            raise Fault(f"told to raise in {hook}")
