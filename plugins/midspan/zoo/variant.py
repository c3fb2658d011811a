"""From a graph to a variant of a bundle: the graph's file and what `bundle.json` says of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import onnx

from midspan.bundle import Accuracy, Preprocessing, Variant, check_variant
from midspan.errors import BundleError
from midspan.graph.blocks import find_blocks
from midspan.graph.macs import count_macs
from midspan.graph.tensors import sole_input, sole_output
from midspan.zoo.probe import probe_scores

__all__ = ["describe", "write_graph"]


def describe(
    name: str, graph: onnx.ModelProto, preprocessing: Preprocessing, probe: bytes, accuracy: Accuracy | None = None
) -> Variant:
    """The variant that a graph makes. The graph is clean and its batch dynamic; `probe` is a picture's bytes.

    Raises BundleError where the output is no row of scores, or the arithmetic cannot be counted.
    """
    blocks = find_blocks(graph)
    if len(blocks[-1].shape) != 1:
        raise BundleError(f"the output must have the shape (batch, classes), got {('batch', *blocks[-1].shape)}")
    contents = graph.SerializeToString(deterministic=True)
    variant = Variant(
        name=name,
        graph=f"{name}.onnx",
        sha256=hashlib.sha256(contents).hexdigest(),
        input_name=sole_input(graph).name,
        output_name=sole_output(graph).name,
        classes=blocks[-1].shape[0],
        preprocessing=preprocessing,
        blocks=blocks,
        macs=count_macs(graph),
        graph_bytes=len(contents),
        accuracy=accuracy,
        probe_scores=probe_scores(graph, preprocessing, probe),
    )
    check_variant(variant, variant.classes)
    return variant


def write_graph(variant: Variant, graph: onnx.ModelProto, directory: Path) -> None:
    """Put the graph's file into a bundle's directory, whole or not at all."""
    unfinished = directory / f".{variant.graph}.{os.getpid()}"
    unfinished.write_bytes(graph.SerializeToString(deterministic=True))
    unfinished.replace(directory / variant.graph)
