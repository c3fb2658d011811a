"""A small picture, and the scores that a right server gives for it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import onnx
import onnxruntime
from PIL import Image, ImageDraw

from midspan.bundle import Preprocessing
from midspan.zoo.reference import reference_tensor

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["draw_probe", "probe_scores", "run_graph"]

PROBE_SIZE_PX = (400, 320)


def draw_probe() -> bytes:
    """A PNG of a balloon over a field: edges, gradients and plain areas in every channel. Always the same pixels."""
    width_px, height_px = PROBE_SIZE_PX
    image = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize(PROBE_SIZE_PX) for turn in (0, 0, 180)])
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, height_px * 3 // 4, width_px, height_px), fill=(70, 140, 60))
    for stripe, colour in enumerate(((220, 40, 40), (250, 210, 60), (40, 80, 200), (245, 245, 245))):
        pen.ellipse((130 + 18 * stripe, 30, 270 - 18 * stripe, 190), fill=colour)
    pen.line((160, 175, 185, 230), fill=(60, 40, 20), width=3)
    pen.line((240, 175, 215, 230), fill=(60, 40, 20), width=3)
    pen.rectangle((183, 230, 217, 255), fill=(150, 100, 50))
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def probe_scores(model: onnx.ModelProto, preprocessing: Preprocessing, probe: bytes) -> tuple[float, ...]:
    """The scores of a graph for the picture `probe`, through the reference preprocessing."""
    scores = run_graph(model, reference_tensor(probe, preprocessing))
    return tuple(float(score) for score in scores[0])


def run_graph(model: onnx.ModelProto, tensor: FloatTensor) -> FloatTensor:
    """The one output of a graph for its one input, by onnxruntime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    scores: FloatTensor = session.run(None, {session.get_inputs()[0].name: tensor})[0]
    return scores
