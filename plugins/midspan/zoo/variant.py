"""From a graph to a variant of a bundle: the graph's file and what `bundle.json` says of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import onnx

from midspan.bundle import Accuracy, Preprocessing, Variant
from midspan.errors import BundleError
from midspan.graph.blocks import find_blocks
from midspan.graph.macs import count_macs
from midspan.graph.shapes import sole_input, sole_output
from midspan.zoo.probe import probe_scores

__all__ = ["make_variant"]


def make_variant(
    directory: Path,
    name: str,
    graph: onnx.ModelProto,
    preprocessing: Preprocessing,
    probe: bytes,
    accuracy: Accuracy | None = None,
) -> Variant:
    """Write `NAME.onnx` into the bundle's directory and describe it. The graph is clean, its batch dynamic.

    Raises BundleError where the graph cannot be cut, or its arithmetic not be counted.
    """
    blocks = find_blocks(graph)
    if len(blocks[-1].shape) != 1:
        raise BundleError(f"the output must have the shape (batch, classes), got (batch, {blocks[-1].shape})")
    scores = probe_scores(graph, preprocessing, probe)
    contents = graph.SerializeToString(deterministic=True)
    path = directory / f"{name}.onnx"
    unfinished = directory / f".{name}.onnx.{os.getpid()}"
    unfinished.write_bytes(contents)
    unfinished.replace(path)
    return Variant(
        name=name,
        graph=path.name,
        sha256=hashlib.sha256(contents).hexdigest(),
        input_name=sole_input(graph).name,
        output_name=sole_output(graph).name,
        classes=blocks[-1].shape[0],
        preprocessing=preprocessing,
        blocks=blocks,
        macs=count_macs(graph),
        graph_bytes=len(contents),
        accuracy=accuracy,
        probe_scores=scores,
        path=path,
    )
