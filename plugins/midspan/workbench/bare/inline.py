"""The work itself, inline: the same decoding, resizing and onnxruntime call as Midspan's, with nothing around it."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from PIL import Image

if TYPE_CHECKING:
    from midspan.types import FloatTensor

__all__ = ["Inline"]


class Inline:
    """A graph with its preprocessing. `settings` has graph, side_px, resize_px, mean, std and margin."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(settings["graph"], options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._side_px, self._resize_px = settings["side_px"], settings["resize_px"]
        self._decode_px = self._resize_px * settings["margin"]
        self._mean = np.asarray(settings["mean"], np.float32).reshape(3, 1, 1)
        self._std = np.asarray(settings["std"], np.float32).reshape(3, 1, 1)

    def prepare(self, payload: bytes) -> FloatTensor:
        """A JPEG as the graph's input, shape (1, 3, side_px, side_px)."""
        image = Image.open(BytesIO(payload))
        scale = next((s for s in (8, 4, 2) if min(image.size) >= s * self._decode_px), 1)
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        edge = min(image.size) * self._side_px / self._resize_px
        left, top = (image.width - edge) / 2, (image.height - edge) / 2
        box = (left, top, left + edge, top + edge)
        small = image.resize((self._side_px, self._side_px), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
        pixels = np.asarray(small.convert("RGB"))
        tensor = np.empty((1, 3, self._side_px, self._side_px), np.float32)
        tensor[0] = pixels.transpose(2, 0, 1)
        tensor -= self._mean
        tensor /= self._std
        return tensor

    def run(self, tensors: list[FloatTensor]) -> FloatTensor:
        """Scores, shape (batch, classes)."""
        batch = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        scores: FloatTensor = self._session.run(None, {self._input: batch})[0]
        return scores
