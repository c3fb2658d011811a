"""Architectures that the onnx package carries: fixed batch, old opset, weights that are made by nodes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from midspan.graph.batch import make_batch_dynamic
from midspan.graph.blocks import find_blocks
from midspan.graph.check import read_graph
from midspan.graph.cut import cut_graph

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize(
    ("name", "blocks_at_least"),
    [("squeezenet", 30), ("shufflenet", 35), ("inception_v1", 20), ("inception_v2", 20), ("densenet121", 80)],
)
def test_known_architectures_cut(name, blocks_at_least, evaluate, images):
    model = make_batch_dynamic(read_graph(LIGHT / f"light_{name}.onnx"))
    give_random_weights(model)
    blocks = find_blocks(model)
    assert len(blocks) >= blocks_at_least
    batch = images(2, (3, 224, 224))
    whole = evaluate(model, batch)
    cut = len(blocks) // 2
    prefix, suffix = cut_graph(model, blocks, 0, cut), cut_graph(model, blocks, cut, len(blocks))
    scores = evaluate(suffix, evaluate(prefix, batch))
    assert np.ptp(whole) > 1e-6
    np.testing.assert_allclose(scores, whole, atol=1e-4 * np.abs(whole).max())
    assert sum(block.weight_bytes for block in blocks) == sum(
        numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer
    )


def give_random_weights(model):
    """The package's own are all alike, so that a wrong cut could hide. He's scale keeps the values in range."""
    rng = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            fan_in = max(1, int(np.prod(tensor.dims[1:])))
            array = rng.standard_normal(tuple(tensor.dims)) * np.sqrt(2 / fan_in)
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float32), tensor.name))
