"""The plug-in `onnxruntime`: runs graphs, whole or from cut to cut, in the worker's own process on the CPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from midspan.bundle import Variant
from midspan.config import bounded, read_table
from midspan.errors import ConfigError
from midspan.hookspecs import hookimpl
from midspan.types import Context

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["OnnxRuntimePlugin", "Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """`threads` run one graph; `segments` sessions for parts of graphs are kept, beside one for each whole graph."""

    threads: int = bounded(1, 1, 1024)
    segments: int = bounded(16, 1, 10_000)


class OnnxRuntimePlugin:
    """Answers `midspan_run`. Whole graphs are loaded and warmed up at the start, segments when first asked for."""

    def __init__(self) -> None:
        self._options = Options()
        self._whole: dict[str, onnxruntime.InferenceSession] = {}
        self._segments: OrderedDict[tuple[str, int, int], onnxruntime.InferenceSession] = OrderedDict()

    @hookimpl
    def midspan_configure(self, options: Mapping[str, Any], context: Context) -> None:
        """Load every variant and run it once, so that the first request is as fast as the second."""
        self._options = read_table(Options, options, "plugins.onnxruntime")
        for variant in context.family.variants:
            try:
                self._whole[variant.name] = self._session(variant.path.read_bytes())
            except (OSError, RuntimeError) as error:  # onnxruntime's errors are RuntimeErrors
                raise ConfigError(f"cannot load {variant.path}: {error}") from error
            side_px = variant.preprocessing.side_px
            self.midspan_run(variant, 0, variant.cuts, np.zeros((1, 3, side_px, side_px), np.float32))

    @hookimpl
    def midspan_run(self, variant: Variant, cut_in: int, cut_out: int, tensors: FloatTensor) -> FloatTensor | None:
        """Run rows of tensors through a session; every session has one input and one output."""
        session = self._find(variant, cut_in, cut_out)
        rows: FloatTensor = session.run(None, {session.get_inputs()[0].name: tensors})[0]
        return rows

    @hookimpl
    def midspan_close(self) -> None:
        """Free the sessions."""
        self._whole.clear()
        self._segments.clear()

    def _find(self, variant: Variant, cut_in: int, cut_out: int) -> onnxruntime.InferenceSession:
        if (cut_in, cut_out) == (0, variant.cuts):
            return self._whole[variant.name]
        key = (variant.name, cut_in, cut_out)
        session = self._segments.pop(key, None)
        if session is None:
            session = self._session(_segment(variant, cut_in, cut_out))
        self._segments[key] = session
        while len(self._segments) > self._options.segments:
            self._segments.popitem(last=False)
        return session

    def _session(self, graph: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._options.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _segment(variant: Variant, cut_in: int, cut_out: int) -> bytes:
    import onnx  # slow to import, and never needed by a worker that runs whole graphs alone

    from midspan.graph.cut import cut_graph

    graph: bytes = cut_graph(onnx.load(variant.path), variant.blocks, cut_in, cut_out).SerializeToString()
    return graph
