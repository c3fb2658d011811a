"""Does the host tell the model's interface as it is?"""

from __future__ import annotations

from midspan_conformance.check import SkippedError, check, require
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]


@check(
    "midspan.metadata.interface",
    "the host's metadata names the payload, the scores and the report with their types",
    "Open Inference Protocol, model metadata",
)
def interface(subject: Subject) -> str:
    message = subject.host.metadata()
    if message is None:
        raise SkippedError(f"{subject.host.name} tells its callers no metadata")
    reply = subject.exchange.send(message)
    require(reply.status == 200, f"{message.path} got status {reply.status}: {reply.start()}; required is 200")
    fault = subject.host.metadata_fault(reply)
    require(not fault, fault)
    return f"{message.path}: {reply.start()}"


CHECKS = (interface,)
