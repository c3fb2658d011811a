"""Is the server up, and does it know how it is doing?"""

from __future__ import annotations

from midspan_conformance.check import check, require
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]


@check("midspan.health.ready", "the host's own health endpoint says that the model is ready", "the host's protocol")
def ready(subject: Subject) -> str:
    message = subject.host.health()
    reply = subject.exchange.send(message)
    require(reply.status == 200, f"{message.path} got status {reply.status}: {reply.start()}; required is 200")
    return f"{message.path}: 200"


@check("midspan.health.control", "the control `health` counts answers and errors", "docs/errors.md")
def control(subject: Subject) -> str:
    subject.good()
    report = subject.control("health")
    counts = report.get("counts")
    require(report.get("status") == "ok", f"status is {report.get('status')!r}; required is 'ok'")
    require(isinstance(counts, dict), f"counts are {counts!r}; required is a JSON object")
    bad = {name: value for name, value in report["counts"].items() if type(value) is not int or value < 0}
    require(not bad, f"counts must be whole numbers from 0 on, got {bad}")
    return f"{len(report['counts'])} counts"


CHECKS = (ready, control)
