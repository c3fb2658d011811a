"""A Python-backend model that does nothing: takes the payload, answers with its first byte."""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """The least that a request with such a payload costs on this host. Answering all of it would cost more."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request with a byte."""
        payloads = [pb_utils.get_input_tensor_by_name(request, "payload").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("echo", payload[:, :1])]) for payload in payloads]
