"""The hooks: each function below is a contract, and its docstring is the contract's text.

A plug-in is a class without required constructor arguments, named by an entry point in the group ``midspan``. It
implements any of these as methods marked with :data:`hookimpl`, and may leave out arguments that it does not need:

    class Loud:
        @hookimpl
        def midspan_observe(self, record):
            print(record.variant, record.server_s)

"First that answers" means: plug-ins are asked in the order of `plugins.enabled`, the first result that is not None
wins, and later ones are not asked. A plug-in refuses a request by raising a `RequestError`; anything else that it
raises becomes status 500 for that request alone. One instance of a plug-in serves one worker process and is called
from one thread at a time; what must be shared by all workers of a host goes into `context.store`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from midspan.bundle import Variant
    from midspan.types import Context, Decoded, FloatTensor, Parameter, Prepared, Record, Request, Response

__all__ = ["PROJECT", "hookimpl"]

PROJECT = "midspan"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def midspan_configure(options: Mapping[str, Any], context: Context) -> None:
    """Take this plug-in's own table of the configuration, once, before any request.

    Called on each plug-in alone with its own `options` ({} where it has none). Raise `ConfigError` to reject them:
    loading stops with one error that names the plug-in, its distribution and the reason. Must not start threads that
    outlive `midspan_close`, and must not answer requests yet.
    """


@hookspec
def midspan_close() -> None:
    """Release everything; called once at the end, also after a failed load. Calling it twice must do no harm."""


@hookspec
def midspan_parameters() -> Sequence[Parameter]:  # type: ignore[empty-body]
    """The request parameters that this plug-in reads; asked once, after `midspan_configure`.

    All answers are merged; two plug-ins that declare the same name stop the load. The pipeline checks types and ranges
    before any other hook sees the request, so that `request.parameters` holds only declared names, of the right type.
    """


@hookspec
def midspan_describe() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """What the device should know about this plug-in, as JSON; rides in the catalog under the plug-in's name.

    Asked at each request for the catalog, so that learned models stay fresh. All answers are used.
    """


@hookspec(firstresult=True)
def midspan_control(request: Request, control: str) -> Response | None:
    """Answer a control request (its parameter `control` is not ""). First that answers.

    The kernel answers "catalog" and "health" itself where no plug-in does; a control that nobody answers gets 400.
    """


@hookspec(firstresult=True)
def midspan_decode(request: Request) -> Decoded | None:
    """Tell what the payload is; read no more than its header where that is enough. First that answers.

    None means "not mine". Sizes and dimensions must be checked here, before anything is allocated. Raise
    `BadPayloadError` for a payload that is this plug-in's kind but damaged; a payload that nobody knows gets 400.
    """


@hookspec(firstresult=True)
def midspan_select_variant(
    request: Request, decoded: Decoded, candidates: Sequence[Variant], budget_s: float | None
) -> str | None:
    """Name the variant to run, where the caller left it open. First that answers; else the family's default runs.

    `candidates` has at least one entry. `budget_s` is what is left of the caller's time limit, or None.
    """


@hookspec(firstresult=True)
def midspan_prepare(request: Request, decoded: Decoded, variant: Variant) -> Prepared | None:
    """Make the tensor that enters `variant` at a cut. First that answers; None means "not my kind of payload".

    Runs once for each request of a batch; an error fails that request alone.
    """


@hookspec(firstresult=True)
def midspan_run(variant: Variant, cut_in: int, cut_out: int, tensors: FloatTensor) -> FloatTensor | None:
    """Run `variant` from `cut_in` (0: the input) to `cut_out` (`len(variant.blocks)`: the end). First that answers.

    `tensors` has shape (batch, …) and so has the result, row for row. If it raises for a batch, the pipeline runs the
    rows one by one, so that a bad row fails alone.
    """


@hookspec
def midspan_observe(record: Record) -> None:
    """Learn from a request that is over, answered or refused; not from an answered control request. All are asked.

    What it raises is counted and logged, and never reaches the caller. It runs before the answer leaves: keep it short.
    """


@hookspec
def midspan_report(record: Record) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Add to the report that rides on the answer, as JSON, under this plug-in's name. All are asked.

    What it raises is counted and logged, and never reaches the caller.
    """
