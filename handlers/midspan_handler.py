"""What TorchServe loads: decode the host's requests, delegate to the pipeline, encode its answers. One class only."""

import atexit
import json
from collections.abc import Mapping, Sequence
from http.client import responses
from typing import Any

from midspan import wire
from midspan.config import Config
from midspan.deploy.loading import load_pipeline
from midspan.errors import BadPayloadError, MidspanError
from midspan.hostqueue import torchserve_reading
from midspan.types import Request, Response


class MidspanHandler:
    """One worker; TorchServe gives each its own process."""

    def initialize(self, context: Any) -> None:
        """Load the pipeline that the block `midspan` of model-config.yaml describes."""
        self._pipeline = load_pipeline(
            lambda: Config.from_tables(context.model_yaml_config["midspan"]), torchserve_reading
        )
        atexit.register(self._pipeline.close)  # TorchServe tells a worker to go by closing its connection

    def handle(self, data: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch; a refused request has its own status beside its neighbours' 200."""
        requests = [_decode(row, context.get_all_request_header(index)) for index, row in enumerate(data)]
        answers = iter(self._pipeline.infer([one for one in requests if isinstance(one, Request)]))
        return [
            _encode(next(answers) if isinstance(one, Request) else one, context, index)
            for index, one in enumerate(requests)
        ]


def _decode(row: Mapping[str, Any], headers: Mapping[str, str]) -> Request | MidspanError:
    payload = row.get("body", row.get("data", b""))  # "data" is what TorchServe's users name a form's file
    if not isinstance(payload, bytes | bytearray):
        return BadPayloadError(
            f"the host made {type(payload).__name__} of the body; send the payload's bytes with Content-Type "
            "image/jpeg, image/png, image/webp or application/octet-stream, and options as x-midspan-* headers"
        )
    named = {name.lower(): value for name, value in headers.items()}
    options = {name: value for name, value in named.items() if name.startswith(wire.HEADER_PREFIX)}
    return Request(bytes(payload), named.get("content-type", ""), wire.normalise_parameters(options))


def _encode(answer: Response | MidspanError, context: Any, index: int) -> bytes:
    context.set_response_content_type(index, "application/json")
    if isinstance(answer, Response):
        return answer.body
    context.set_response_status(answer.status, responses.get(answer.status, "Error"), index)
    return json.dumps({"error": {"code": answer.code, "message": str(answer)}}).encode()
