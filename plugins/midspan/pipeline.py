"""The one way a request takes: check, decode, select, prepare, run, respond. Adapters call `Pipeline.infer`.

A batch goes through together. Requests that share a variant and a cut run together; whatever fails, fails alone.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy

from midspan import bundle, catalog, manager, parameters, report, wire
from midspan.backlog import Backlog, unknown_mean
from midspan.bundle import Family, Variant
from midspan.config import Config, ServerConfig
from midspan.errors import (
    BadParameterError,
    BadPayloadError,
    InternalError,
    MidspanError,
    PayloadTooLargeError,
    PluginFailedError,
)
from midspan.hostqueue import HostQueue, Reading
from midspan.hoststore import HostStore, default_path
from midspan.types import Context, Decoded, Parameter, Prepared, Record, Request, Response

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["Pipeline"]

log = logging.getLogger("midspan")

STAGES = ("queue", "decode", "select", "prepare", "run", "other")


class _Job:
    """One request on its way through a batch; `error` or `response` is set in the end."""

    __slots__ = ("control", "decoded", "error", "prepared", "request", "response", "scores", "stages_s", "variant")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.control = ""
        self.decoded: Decoded | None = None
        self.variant: Variant | None = None
        self.prepared: Prepared | None = None
        self.scores: FloatTensor | None = None
        self.stages_s = dict.fromkeys(STAGES, 0.0)
        self.response: Response | None = None
        self.error: MidspanError | None = None


class Pipeline:
    """Plug-ins, a family and a store, ready to answer. Belongs to one worker; called from one thread at a time."""

    def __init__(
        self,
        config: Config,
        plugins: pluggy.PluginManager,
        family: Family,
        store: HostStore,
        declared: Mapping[str, Parameter],
        clock: Callable[[], float] = time.perf_counter,
        host_queue: HostQueue | None = None,
    ) -> None:
        self.config = config
        self.family = family
        self.store = store
        self.declared = declared
        self._plugins = plugins
        self._hook = plugins.hook
        self._clock = clock
        self._host_queue = host_queue
        self._backlog = Backlog(config.server.max_batch_size, host_queue.mean_s if host_queue else unknown_mean)
        self._reporters = manager.each_alone(plugins, config.plugins, "midspan_report")
        self._observers = manager.each_alone(plugins, config.plugins, "midspan_observe")
        self._describers = manager.each_alone(plugins, config.plugins, "midspan_describe")

    @classmethod
    def load(
        cls,
        config: Config,
        *,
        clock: Callable[[], float] = time.perf_counter,
        find: Callable[[], Mapping[str, manager.InstalledPlugin]] = manager.installed,
        read_queue: Callable[[ServerConfig], Reading] | None = None,
    ) -> Pipeline:
        """Load the bundle, the host's store and the enabled plug-ins. Raises ConfigError; then nothing stays open.

        `find` tells which plug-ins there are: by default, the entry points of everything that is installed.
        `read_queue` reads the host's own counters of its queue, where it has any.
        """
        plugins = manager.build_manager(config.plugins, find)
        family = bundle.load(config.family.bundle)
        path = config.host.store or default_path(_digest(config.family.bundle))
        store = HostStore(path, clock=clock)
        try:
            manager.configure(plugins, config.plugins, Context(family, store, clock), find)
            groups = manager.declared_parameters(plugins, config.plugins, find)
            declared = parameters.declare([("the kernel", parameters.KERNEL_PARAMETERS), *groups])
        except Exception:
            manager.close(plugins)
            store.close()
            raise
        host_queue = HostQueue(partial(read_queue, config.server)) if read_queue else None
        return cls(config, plugins, family, store, declared, clock, host_queue)

    def infer(self, requests: Sequence[Request]) -> list[Response | MidspanError]:
        """Answer a batch: for each request its response or its error, in order. Never raises an Exception."""
        started = self._clock()
        queue_s, queue_max_s = self._backlog.start(started, len(requests))
        jobs = [_Job(request) for request in requests]
        for job in jobs:
            self._guard(job, self._prepare)
        groups: dict[tuple[str, int], list[_Job]] = defaultdict(list)
        for job in jobs:
            if job.prepared is not None and job.variant is not None:
                groups[job.variant.name, job.prepared.cut].append(job)
        for group in groups.values():
            self._run(group)
        answers: list[Response | MidspanError] = []
        for job in jobs:
            record = self._record(job, started, queue_s, len(requests))
            self._guard(job, partial(self._respond, record=record, queue_max_s=queue_max_s))
            if job.error is not None or not job.control:
                self._learn(record)
            answers.append(job.error or job.response or InternalError("the request was left without an answer"))
        self._backlog.end(self._clock())
        return answers

    def close(self) -> None:
        """Let the plug-ins and the store go; a second call does nothing."""
        manager.close(self._plugins)
        self.store.close()
        if self._host_queue is not None:
            self._host_queue.close()

    def describe(self) -> dict[str, Any]:
        """The catalog: what a device needs to know to decide. See `midspan.catalog`."""
        described = {name: self._quietly(name, caller) for name, caller in self._describers}
        return catalog.build(self.config, self.family, self.store, self.declared, described)

    def _guard(self, job: _Job, step: Callable[[_Job], None]) -> None:
        """Take one step with one request; what goes wrong becomes this request's error and nobody else's."""
        if job.error is None:
            try:
                step(job)
            except Exception as error:
                self._fail(job, error)

    def _fail(self, job: _Job, error: Exception) -> None:
        if not isinstance(error, MidspanError):
            log.error("request failed", exc_info=error)
            error = InternalError(f"{type(error).__name__}: {error}"[:500])
        elif error.status >= 500:
            log.error("%s", error)
        job.error, job.prepared = error, None

    def _ask(self, caller: pluggy.HookCaller, **arguments: Any) -> Any:
        """Call a first-result hook; a plug-in's unexpected error says whose it is."""
        try:
            return caller(**arguments)
        except MidspanError:
            raise
        except Exception as error:
            log.exception("a plug-in failed in %s", caller.name)
            raise manager.whose_fault(error, caller) from error

    def _prepare(self, job: _Job) -> None:
        request = self._admit(job.request)
        job.request = request
        job.control = str(request.parameters[wire.PARAMETER_CONTROL])
        if job.control:
            answer = self._answer_control(request, job.control)
            job.response = Response(answer.report, None, report.encode(answer.report))
            return
        hook, stages_s, clock = self._hook, job.stages_s, self._clock
        at_start = clock()
        decoded = self._ask(hook.midspan_decode, request=request)
        if decoded is None:
            said = request.content_type or "no content type"
            raise BadPayloadError(
                f"no plug-in knows this payload: {len(request.payload)} bytes, {said[:100]!r}, "
                f"beginning with {bytes(request.payload[:8])!r}"
            )
        job.decoded = decoded
        at_decoded = clock()
        wanted = decoded.variant or request.parameters[wire.PARAMETER_VARIANT]
        if not wanted:
            candidates = self.family.variants
            wanted = self._ask(
                hook.midspan_select_variant, request=request, decoded=decoded, candidates=candidates, budget_s=None
            )
        variant = self.family.variant(str(wanted or self.family.default))
        at_selected = clock()
        prepared = self._ask(hook.midspan_prepare, request=request, decoded=decoded, variant=variant)
        _check_prepared(prepared, decoded.kind, variant)
        job.variant, job.prepared = variant, prepared
        stages_s["decode"] = at_decoded - at_start
        stages_s["select"] = at_selected - at_decoded
        stages_s["prepare"] = clock() - at_selected

    def _admit(self, request: Request) -> Request:
        limit = self.config.server.max_payload_bytes
        if len(request.payload) > limit:
            raise PayloadTooLargeError(f"payload has {len(request.payload)} bytes; at most {limit} are allowed")
        checked = parameters.check(request.parameters, self.declared)
        content_type = str(checked[wire.PARAMETER_CONTENT_TYPE]) or request.content_type
        return Request(request.payload, content_type, checked)

    def _answer_control(self, request: Request, control: str) -> Response:
        response: Response | None = self._ask(self._hook.midspan_control, request=request, control=control)
        if response is not None:
            return response
        if control == wire.CONTROL_CATALOG:
            return Response(self.describe())
        if control == wire.CONTROL_HEALTH:
            return Response(catalog.health(self.store))
        raise BadParameterError(
            f"nobody answers the control {control[:100]!r}; there are {wire.CONTROL_CATALOG} and {wire.CONTROL_HEALTH}"
        )

    def _run(self, group: list[_Job]) -> None:
        """Run requests that share a variant and a cut; if they fail together, one by one."""
        at_start = self._clock()
        try:
            rows = self._run_rows(group)
        except Exception as error:
            if len(group) == 1:
                self._fail(group[0], error)
            else:
                for job in group:
                    self._run([job])
            return
        run_s = self._clock() - at_start
        for job, row in zip(group, rows, strict=True):
            job.scores = row
            job.stages_s["run"] = run_s

    def _run_rows(self, group: list[_Job]) -> FloatTensor:
        variant = group[0].variant
        prepared = [job.prepared for job in group if job.prepared is not None]
        assert variant is not None
        batch = prepared[0].tensor if len(prepared) == 1 else np.concatenate([one.tensor for one in prepared])
        rows: FloatTensor | None = self._ask(
            self._hook.midspan_run, variant=variant, cut_in=prepared[0].cut, cut_out=variant.cuts, tensors=batch
        )
        if rows is None:
            raise InternalError(f"no plug-in runs {variant.name!r} from cut {prepared[0].cut}")
        if getattr(rows, "shape", None) != (len(group), variant.classes):
            raise InternalError(
                f"running {variant.name!r} gave shape {getattr(rows, 'shape', None)}, "
                f"expected {(len(group), variant.classes)}"
            )
        return rows

    def _respond(self, job: _Job, record: Record, queue_max_s: float) -> None:
        if job.scores is None:  # a control request: answered already
            return
        built = report.build(record, job.scores, self.family.labels, queue_max_s)
        if self._reporters:
            built["plugins"] = {name: self._quietly(name, caller, record=record) for name, caller in self._reporters}
        job.response = Response(built, job.scores, report.encode(built))

    def _record(self, job: _Job, started: float, queue_s: float, batch_size: int) -> Record:
        job.stages_s["queue"] = queue_s
        server_s = queue_s + self._clock() - started
        job.stages_s["other"] = max(0.0, server_s - sum(job.stages_s.values()))
        variant, cut = job.variant.name if job.variant else "", job.prepared.cut if job.prepared else 0
        error = job.error.code if job.error else ""
        return Record(job.request, variant, cut, job.stages_s, server_s, batch_size, error, job.decoded)

    def _learn(self, record: Record) -> None:
        if record.error:
            self.store.add(f"errors.{record.error}")
        else:
            self.store.add("answers")
            for stage in ("decode", "prepare", "run"):
                self.store.observe(f"{record.variant}.{stage}_s", record.stages_s[stage])
        for name, caller in self._observers:
            self._quietly(name, caller, record=record)

    def _quietly(self, name: str, caller: pluggy.HookCaller, **arguments: Any) -> Any:
        """Ask one plug-in something that may not fail the request: its error is logged and counted."""
        try:
            answer = next(iter(caller(**arguments)), None)
            report.encode(answer)  # what cannot be sent is this plug-in's failure, not the request's
        except Exception:
            log.exception("plug-in %r failed in %s", name, caller.name)
            self.store.add(f"errors.{PluginFailedError.code}.{name}")
            return None
        return answer


def _check_prepared(prepared: object, kind: str, variant: Variant) -> None:
    if prepared is None:
        raise BadPayloadError(f"no plug-in prepares a payload of kind {kind!r} for {variant.name!r}")
    if not isinstance(prepared, Prepared) or prepared.tensor.shape[0] != 1 or not 0 <= prepared.cut < variant.cuts:
        raise InternalError(f"a plug-in prepared {prepared!r:.200}; expected one row at a cut below {variant.cuts}")


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
