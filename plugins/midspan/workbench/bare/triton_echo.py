"""A Python-backend model that does nothing: takes the payload, answers with the payload."""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """What a request with such a payload costs on this host, there and back."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request with what it sent."""
        payloads = [pb_utils.get_input_tensor_by_name(request, "payload").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("echo", payload)]) for payload in payloads]
