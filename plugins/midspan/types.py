"""The values that travel through the pipeline. All are frozen; none knows a server, a plug-in or an image library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from midspan.bundle import Family
    from midspan.hoststore import HostStore

    FloatTensor: TypeAlias = NDArray[np.float32]

__all__ = ["Context", "Decoded", "Parameter", "Prepared", "Record", "Request", "Response", "Scalar"]

Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a host handed it over.

    `parameters` is flat, its names are normalised (`top_k`, never `X-Midspan-Top-K`). From the adapter its values are
    what the host passed, so a number may still be text; plug-ins see declared names alone, each of its declared type.
    `content_type` is "" where the caller did not say.
    """

    payload: bytes
    content_type: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A request parameter that the kernel or a plug-in reads: anything undeclared is refused with status 400.

    `kind` is one of bool, int, float, str. `minimum` and `maximum` bound numbers, and `maximum` the length of text.
    """

    name: str
    kind: type
    default: Scalar | None
    help: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A payload after its header was read. `kind` tells the plug-ins who can prepare it: "image", "tensor", …

    `value` belongs to the plug-in that decoded it, and may still be lazy. `variant` is set where the payload fits one
    variant alone.
    """

    kind: str
    value: Any
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The tensor of one request that enters a graph at a cut. `tensor` has shape (1, …); cut 0 is the graph's input."""

    tensor: FloatTensor
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request.

    `report` is JSON-able: see `midspan.wire` for its keys. `scores` has shape (classes,), the graph's raw output; it is
    None in the answer to a control request. `body` is the report as JSON; the pipeline fills it in.
    """

    report: Mapping[str, Any]
    scores: FloatTensor | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """What happened to one request; given to `midspan_observe` and `midspan_report`.

    `stages_s` are seconds by stage name (queue, decode, select, prepare, run, other) and sum to `server_s`. `error` is
    the code of the error that the caller gets, or "". `decoded` is None where the payload was refused before.
    """

    request: Request
    variant: str
    cut: int
    stages_s: Mapping[str, float]
    server_s: float
    batch_size: int
    error: str = ""
    decoded: Decoded | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a plug-in may hold on to. `clock` returns monotonic seconds."""

    family: Family
    store: HostStore
    clock: Callable[[], float]
