"""Is a server right? Judged by the values of a real prediction, since both hosts' health is 200 when it is not."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass

from midspan import wire
from midspan.bundle import Family
from midspan.deploy.http import Send, send
from midspan.deploy.launch import no_token

__all__ = ["Finding", "Health", "Probe"]

TOLERANCE = 1e-2
"""How far a score may be from the bundle's: runtimes differ in the last digits, a garbled tensor by whole units."""


class Health(enum.Enum):
    """What one probe found."""

    RIGHT = "right"
    BUSY = "busy"  # refused with 503: overload, or not ready yet
    FAILED = "failing"  # an error of another kind
    WRONG = "wrong"  # an answer, with values that are not the model's
    SILENT = "silent"  # no answer in time
    GONE = "gone"  # nobody listens, or the connection broke


@dataclass(frozen=True, slots=True)
class Finding:
    """A probe's result, with the reason in words."""

    health: Health
    text: str = ""


class Probe:
    """Sends the bundle's own picture to a server and compares the scores with the bundle's. Standard library only."""

    def __init__(
        self,
        kind: str,
        url: str,
        family: Family,
        *,
        token: Callable[[], str] = no_token,
        transport: Send = send,
        timeout_s: float = 5.0,
    ) -> None:
        self._kind = kind
        self._url = url
        self._family = family
        self._token = token
        self._send = transport
        self._timeout_s = timeout_s

    def __call__(self) -> Finding:
        """Ask once; never raises."""
        url, body, headers = self._request()
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        try:
            status, answer = self._send("POST", url, body, headers, self._timeout_s)
        except TimeoutError:
            return Finding(Health.SILENT, f"no answer within {self._timeout_s:g} s")
        except OSError as error:
            return Finding(Health.GONE, str(error))
        if status == 503:
            return Finding(Health.BUSY, _start(answer))
        if status != 200:
            return Finding(Health.FAILED, f"status {status}: {_start(answer)}")
        return self._judge(answer)

    def _request(self) -> tuple[str, bytes, dict[str, str]]:
        picture, variant = self._family.probe, self._family.default
        if self._kind == "torchserve":
            options = {wire.PARAMETER_VARIANT: variant, wire.PARAMETER_SCORES: "true"}
            headers = {wire.header_name(name): value for name, value in options.items()}
            return f"{self._url}/predictions/{wire.MODEL_NAME}", picture, {**headers, "Content-Type": "image/png"}
        shape = {"shape": [1, len(picture)], "datatype": "UINT8", "parameters": {"binary_data_size": len(picture)}}
        head = json.dumps(
            {
                "inputs": [{"name": wire.INPUT_PAYLOAD, **shape}],
                "outputs": [{"name": wire.OUTPUT_SCORES}],
                "parameters": {wire.PARAMETER_VARIANT: variant},
            }
        ).encode()
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        return f"{self._url}/v2/models/{wire.MODEL_NAME}/infer", head + picture, headers

    def _judge(self, answer: bytes) -> Finding:
        variant = self._family.variant(self._family.default)
        try:
            tables = json.loads(answer)
            scores = tables["scores"] if self._kind == "torchserve" else tables["outputs"][0]["data"]
            wanted = variant.probe_scores or scores  # a variant without probe scores has only to answer
            worst = max(abs(float(got) - want) for got, want in zip(scores, wanted, strict=True))
        except (ValueError, LookupError, TypeError) as error:
            return Finding(Health.WRONG, f"cannot read the answer ({error!r}): {_start(answer)}")
        if not worst <= TOLERANCE:  # nan is wrong too
            return Finding(Health.WRONG, f"a score is off by {worst:g}; at most {TOLERANCE:g} is allowed")
        return Finding(Health.RIGHT)


def _start(answer: bytes) -> str:
    return " ".join(answer[:300].decode("utf-8", "replace").split())
