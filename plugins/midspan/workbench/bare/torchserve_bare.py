"""A plain TorchServe handler: a picture in, the best five classes out."""

from __future__ import annotations

from typing import Any

import numpy as np

from midspan.workbench.bare import inline


class BareHandler:
    """What a user would write."""

    def initialize(self, context: Any) -> None:
        """Load the graph that the model's configuration names."""
        self._inline = inline.Inline(context.model_yaml_config["settings"])

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[dict[str, Any]]:
        """Decode each, run all at once."""
        scores = self._inline.run([self._inline.prepare(bytes(row["body"])) for row in data])
        best = np.argsort(-scores, axis=1)[:, :5]
        return [
            {"classes": classes.tolist(), "scores": row[classes].tolist()}
            for classes, row in zip(best, scores, strict=True)
        ]
