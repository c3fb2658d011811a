"""What Triton's Python backend loads: decode the host's requests, delegate to the pipeline, encode its answers."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from midspan import wire
from midspan.config import Config
from midspan.deploy.checks import check_numpy
from midspan.deploy.loading import load_pipeline
from midspan.errors import BadPayloadError, MidspanError
from midspan.hostqueue import triton_reading
from midspan.types import Request, Response


class TritonPythonModel:
    """One instance of the model; Triton gives each its own process."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the pipeline that the parameter `midspan` of config.pbtxt describes."""

        def configure() -> Config:
            check_numpy(np.__version__)
            parameters = json.loads(args["model_config"])["parameters"]
            return Config.from_json(parameters["midspan"]["string_value"])

        self._pipeline = load_pipeline(configure, triton_reading)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch; the rows of a request that is itself a batch go through as requests of their own."""
        rows = [_decode(request) for request in requests]
        answers = iter(self._pipeline.infer([row for group in rows for row in group]))
        return [_encode(request, [next(answers) for _ in group]) for request, group in zip(requests, rows, strict=True)]

    def finalize(self) -> None:
        """Flush what was learned."""
        self._pipeline.close()


def _decode(request: Any) -> list[Request]:
    parameters = wire.normalise_parameters(json.loads(request.parameters() or "{}"))
    if request.request_id():
        parameters.setdefault(wire.PARAMETER_ID, request.request_id())
    payloads = pb_utils.get_input_tensor_by_name(request, wire.INPUT_PAYLOAD).as_numpy()
    return [Request(payload.tobytes(), parameters=parameters) for payload in payloads]


def _encode(request: Any, answers: Sequence[Response | MidspanError]) -> Any:
    if not answers:
        return pb_utils.InferenceResponse(error=_error(BadPayloadError("the request has no rows")))
    good = [answer for answer in answers if isinstance(answer, Response)]
    if len(good) < len(answers):
        return pb_utils.InferenceResponse(error=_error(next(a for a in answers if isinstance(a, MidspanError))))
    outputs, wanted = [], request.requested_output_names()
    if wire.OUTPUT_REPORT in wanted:
        reports = np.array([[answer.body] for answer in good], object)
        outputs.append(pb_utils.Tensor(wire.OUTPUT_REPORT, reports))
    scores = [answer.scores for answer in good if answer.scores is not None]  # a control request has none
    if wire.OUTPUT_SCORES in wanted and scores:
        outputs.append(pb_utils.Tensor(wire.OUTPUT_SCORES, np.stack(scores)))
    return pb_utils.InferenceResponse(outputs)


def _error(error: MidspanError) -> Any:
    codes = {
        400: pb_utils.TritonError.INVALID_ARG,
        404: pb_utils.TritonError.NOT_FOUND,
        503: pb_utils.TritonError.UNAVAILABLE,
    }
    code = codes.get(error.status, pb_utils.TritonError.INTERNAL)
    return pb_utils.TritonError(f"[{error.code}] {error}", code)
