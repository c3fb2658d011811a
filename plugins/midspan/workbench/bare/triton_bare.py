"""A plain Python-backend model: a picture in, scores out."""

from __future__ import annotations

import json
from typing import Any

import triton_python_backend_utils as pb_utils

from midspan.workbench.bare.inline import Inline


class TritonPythonModel:
    """What a user would write."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph that the configuration names."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._inline = Inline(json.loads(parameters["settings"]["string_value"]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Decode each, run all at once."""
        payloads = [pb_utils.get_input_tensor_by_name(r, "payload").as_numpy()[0].tobytes() for r in requests]
        scores = self._inline.run([self._inline.prepare(payload) for payload in payloads])
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("scores", scores[index : index + 1])])
            for index in range(len(requests))
        ]
